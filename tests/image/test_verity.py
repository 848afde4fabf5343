"""The system's file: the same bytes from the same folder, and each bit has its hash."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.errors import ConfigError
from image import verity

EPOCH = 1_790_000_000
MOST = 64 * 1024 * 1024

pytestmark = pytest.mark.skipif(
    any(shutil.which(p) is None for p in ("mksquashfs", "veritysetup")),
    reason="needs squashfs-tools and cryptsetup-bin",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small system."""
    folder = tmp_path / "root"
    (folder / "usr/bin").mkdir(parents=True)
    for number in range(40):
        (folder / "usr/bin" / f"program-{number}").write_bytes(os.urandom(9000))
    return folder


def verified(image: Path, found: verity.Verified) -> bool:
    words = ["veritysetup", "verify", image, image, found.root_hash]
    words += ["--no-superblock", "--salt=-", f"--data-blocks={found.blocks}"]
    words += [f"--hash-offset={found.blocks * verity.BLOCK}", "--hash=sha256"]
    words += ["--data-block-size=4096", "--hash-block-size=4096"]
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    return done.returncode == 0


def test_twice_the_same_whatever_the_times_of_the_files_are(
    tree: Path, tmp_path: Path
) -> None:
    made = []
    for number in (1, 2):
        image = tmp_path / f"{number}.img"
        verity.squash(tree, image, EPOCH)
        made.append((verity.protect(image, MOST), image.read_bytes()))
        for path in tree.rglob("*"):
            os.utime(path, (number, number))
    assert made[0] == made[1]


def test_one_bit_anywhere_does_not_verify(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "system.img"
    verity.squash(tree, image, EPOCH)
    found = verity.protect(image, MOST)
    assert verified(image, found)
    whole = image.read_bytes()
    for place in (100, len(whole) // 3, found.blocks * verity.BLOCK + 40):
        image.write_bytes(
            whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        )
        assert not verified(image, found), place


def test_a_system_that_is_too_large_is_refused(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "system.img"
    verity.squash(tree, image, EPOCH)
    with pytest.raises(ConfigError, match=r"system\.img has \d+ bytes"):
        verity.protect(image, 100_000)


def test_all_is_roots(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "system.img"
    verity.squash(tree, image, EPOCH)
    done = subprocess.run(
        ["unsquashfs", "-lln", str(image)],
        check=True,
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
    )
    owners = {line.split()[1] for line in done.stdout.splitlines() if "root" in line}
    assert owners == {"0/0"}
