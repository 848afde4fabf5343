"""A folder of the cache with a changed byte is unpacked again, from its packages."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S

from image import kept
from image.lock import Locked

CONTROL = """\
Package: small
Version: 1
Architecture: all
Maintainer: nobody
Description: one file
"""

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Locked, ...]:
    """One real package, in the cache."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN").chmod(0o755)
    (tree / "DEBIAN/control").write_text(CONTROL)
    (tree / "usr").mkdir()
    (tree / "usr/file").write_bytes(b"as it was packed")
    folder = tmp_path / "packages"
    folder.mkdir()
    made = tmp_path / "made.deb"
    words = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)]
    subprocess.run(words, check=True, capture_output=True, timeout=PROGRAM_S)
    data = made.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    found = Locked("boot", "small", "1", "all", len(data), sha256, "main", "p/small")
    made.rename(folder / found.file)
    return (found,)


def test_it_is_unpacked_once(tmp_path: Path, packages: tuple[Locked, ...]) -> None:
    folder = kept.unpacked("boot", packages, tmp_path)
    assert (folder / "usr/file").read_bytes() == b"as it was packed"
    shutil.rmtree(tmp_path / "packages")  # so it is not unpacked
    assert kept.unpacked("boot", packages, tmp_path) == folder


def test_a_changed_byte_is_noticed_and_mended(
    tmp_path: Path, packages: tuple[Locked, ...]
) -> None:
    folder = kept.unpacked("boot", packages, tmp_path)
    (folder / "usr/file").write_bytes(b"As it was packed")
    assert kept.unpacked("boot", packages, tmp_path) == folder
    assert (folder / "usr/file").read_bytes() == b"as it was packed"
