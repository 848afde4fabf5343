"""Two whole builds are the same to the byte: ``make long``, with an image built."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from limits import LONG
from places import ROOT

OUT = ROOT / "build" / "image"
BUILD_S = 400.0  # for one; half of the limit of the test
BESIDE = ("", ".bmap", ".zst", ".cdx.json")

pytestmark = [
    pytest.mark.skipif(
        not (LONG and (OUT / "virt" / "image.json").exists()),
        reason="make image BOARD=virt, then make long",
    ),
    pytest.mark.timeout(840),
]


def test_two_builds_are_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        words = [sys.executable, "-m", "image.build", "--out", str(tmp_path / name)]
        subprocess.run(words, check=True, cwd=ROOT / "firmware", timeout=BUILD_S)
    for end in BESIDE:
        one, two = (
            digest(tmp_path / name / "virt" / f"doorsill-virt.img{end}")
            for name in ("one", "two")
        )
        assert one == two, end


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
