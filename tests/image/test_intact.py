"""What a build keeps is used again while no byte, mode, link or name of it changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from image.intact import is_intact, seal


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "root-0123"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/hosts").write_bytes(b"127.0.0.1 localhost\n")
    (folder / "lib").symlink_to("usr/lib")
    seal(folder)
    return folder


SPOILT: dict[str, Callable[[Path], object]] = {
    "byte": lambda f: (f / "etc/hosts").write_bytes(b"127.0.0.2 localhost\n"),
    "mode": lambda f: (f / "etc/hosts").chmod(0o4755),
    "more": lambda f: (f / "etc/shadow").touch(),
    "less": lambda f: (f / "etc/hosts").unlink(),
    "link": lambda f: ((f / "lib").unlink(), (f / "lib").symlink_to("etc")),
    "all": shutil.rmtree,
}


def test_what_was_left_alone_is_used_again(kept: Path) -> None:
    assert is_intact(kept)


@pytest.mark.parametrize("what", SPOILT)
def test_what_changed_is_not(kept: Path, what: str) -> None:
    SPOILT[what](kept)
    assert not is_intact(kept)


def test_what_was_cut_short_before_its_note_is_not(kept: Path) -> None:
    kept.with_name("root-0123.sha256").unlink()
    assert not is_intact(kept)


def test_a_file_is_sealed_as_a_folder_is(tmp_path: Path) -> None:
    layer = tmp_path / "layer.squashfs"
    layer.write_bytes(b"hsqs")
    seal(layer)
    assert is_intact(layer)
    layer.write_bytes(b"Hsqs")
    assert not is_intact(layer)
