"""An image is built again when a lock, a source or a byte of it changed, or never."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from places import ROOT

from deb import files
from image.made_of import LEFT_OUT, SOURCES, digest, is_current, note
from image.root import is_left_out

FILES = ("doorsill-virt.img", "kernel")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for name, text in (
        ("firmware/image/packages.lock", "root dash 1"),
        ("firmware/doorsill/values.py", "WIDTH = 1"),
        ("requirements/device.txt", "numpy==2"),
        ("models/detector.tflite", "TFL3"),
        ("pyproject.toml", "[project]"),
        ("hatch_build.py", ""),
        ("README.md", "# doorsill"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def out(tmp_path: Path, repository: Path) -> Path:
    """An image as a build leaves it."""
    folder = tmp_path / "virt"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    (folder / "image.json").write_text('{"board": "virt"}')
    note(folder, FILES, digest(repository))
    return folder


def test_one_that_nothing_changed_for_is_current(repository: Path, out: Path) -> None:
    (repository / "firmware/image/__pycache__").mkdir()
    (repository / "firmware/image/__pycache__/lock.pyc").touch()
    assert is_current(out, digest(repository))
    assert json.loads((out / "image.json").read_text())["board"] == "virt"


@pytest.mark.parametrize(
    "name",
    [
        "firmware/image/packages.lock",
        "requirements/device.txt",
        "firmware/doorsill/values.py",
        "models/detector.tflite",
    ],
)
def test_a_changed_lock_or_source_is_noticed(
    repository: Path, out: Path, name: str
) -> None:
    with (repository / name).open("a") as file:
        file.write("1")
    assert not is_current(out, digest(repository))


def test_what_is_only_read_by_people_changes_no_image(
    repository: Path, out: Path
) -> None:
    (repository / "README.md").write_text("# another")
    assert is_current(out, digest(repository))


def test_a_new_source_is_noticed(repository: Path, out: Path) -> None:
    (repository / "firmware/doorsill/more.py").touch()
    assert not is_current(out, digest(repository))


def test_what_a_person_gave_belongs_to_it(repository: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "interlock.dtbo"
    overlay.write_bytes(b"\xd0\x0d")
    one = digest(repository, [overlay])
    overlay.write_bytes(b"\xd0\x0e")
    assert len({one, digest(repository, [overlay]), digest(repository)}) == 3


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_of_the_image_is_noticed(
    repository: Path, out: Path, name: str
) -> None:
    (out / name).write_bytes(name.upper().encode())
    assert not is_current(out, digest(repository))


def test_what_a_build_began_and_did_not_end_is_not_current(
    repository: Path, out: Path
) -> None:
    (out / "image.json").write_text('{"board": "virt"}')
    assert not is_current(out, digest(repository))
    (out / "image.json").unlink()
    assert not is_current(out, digest(repository))


def test_all_that_the_package_lays_is_a_source() -> None:
    for each in files.of_package(files.CAMERA):
        if each.source.startswith("../") and not is_left_out(str(each.target)):
            name = each.source.removeprefix("../")
            assert name.startswith(SOURCES) and (ROOT / name).exists()
    assert not any(each in name for name in SOURCES for each in LEFT_OUT)
