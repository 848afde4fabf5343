"""The shapes that everything begins with are the pinned ones, or nothing begins."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from doorsill_train.people import data


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of one file, pinned as the real one is."""
    folder = tmp_path / "made" / data.INSIDE
    folder.mkdir(parents=True)
    (folder / "base.obj").write_text("v 0 0 0\n")
    path = tmp_path / "makehuman.tar.xz"
    with tarfile.open(path, "w:xz") as packed:
        packed.add(folder, data.INSIDE)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(data, "ARCHIVE_SHA256", found)
    return path


def test_the_pinned_archive_is_unpacked_once(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = data.unpacked(archive, out)
    assert (folder / "base.obj").read_text() == "v 0 0 0\n"
    (folder / "base.obj").write_text("v 1 1 1\n")
    assert data.unpacked(archive, out) == folder
    assert (folder / "base.obj").read_text() == "v 1 1 1\n", "not unpacked again"


def test_another_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(SystemExit, match="has sha256"):
        data.unpacked(archive, tmp_path / "out")
    assert not (tmp_path / "out" / data.INSIDE).exists()


def test_what_was_cut_off_is_unpacked_anew(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "unpacking" / data.INSIDE).mkdir(parents=True)
    (out / "unpacking" / data.INSIDE / "half").touch()
    (out / data.INSIDE).mkdir()
    (out / data.INSIDE / "old").touch()
    folder = data.unpacked(archive, out)
    assert {path.name for path in folder.iterdir()} == {"base.obj"}


@pytest.mark.parametrize("inside", [False, True])
def test_a_folder_is_taken_as_it_is(
    archive: Path, tmp_path: Path, inside: bool
) -> None:
    made = tmp_path / "made"
    given = made / data.INSIDE if inside else made
    assert data.unpacked(given, tmp_path / "out") == made / data.INSIDE
