"""The small system: modules in an order that loads, always the same archive."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.errors import ConfigError
from image import initramfs, modules
from image.cpio import Archive

DEP = """\
kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/jbd2/jbd2.ko.xz
kernel/fs/jbd2/jbd2.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-mod.ko.xz
kernel/drivers/md/dm-mod.ko.xz:
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "modules.dep").write_text(DEP)
    (tmp_path / "modules.builtin").write_text("kernel/fs/squashfs/squashfs.ko\n")
    return tmp_path


def test_what_a_module_needs_comes_before_it(folder: Path) -> None:
    found = [modules.plain(p) for p in modules.closure(folder, ["ext4", "dm-verity"])]
    assert found == ["jbd2", "crc16", "ext4", "dm_mod", "dm_verity"]


def test_what_is_built_in_is_not_loaded(folder: Path) -> None:
    assert modules.closure(folder, ["squashfs"]) == []


def test_a_module_that_is_nowhere_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="has no module vivdi"):
        modules.closure(folder, ["ext4", "vivdi"])


@pytest.mark.parametrize("board", ["virt", "pi4", "pi5"])
def test_each_board_says_what_is_early(board: str) -> None:
    early, all_of_them = modules.wanted(board)
    assert {"dm_verity", "squashfs", "ext4"} <= set(early) <= set(all_of_them)


def archive() -> bytes:
    found = Archive()
    found.folder("dev")
    found.device("dev/console", 5, 1)
    found.file("init", b"#!/bin/sh\n", 0o755)
    found.link("lib", "usr/lib")
    return found.finish()


def test_the_archive_is_the_same_twice_and_whole() -> None:
    data = archive()
    assert data == archive()
    assert len(data) % 4 == 0
    names = [name for name in (b"dev/console", b"init", b"lib") if name in data]
    assert len(names) == 3


@pytest.mark.skipif(shutil.which("bsdtar") is None, reason="needs bsdtar")
def test_another_program_reads_it() -> None:
    done = subprocess.run(
        ["bsdtar", "-tvf", "-"],
        input=archive(),
        check=True,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    assert b"crw-------" in done.stdout


@pytest.mark.parametrize("layers", [True, False])
def test_the_script_is_one_that_a_shell_reads(layers: bool) -> None:
    text = initramfs.script(layers)
    assert "@LAYER@" not in text
    subprocess.run(["sh", "-n"], input=text.encode(), check=True, timeout=PROGRAM_S)


def test_only_a_virtual_camera_takes_a_layer() -> None:
    """A second system over the checked one is for tests, and for no camera."""
    assert "lowerdir" in initramfs.script(layers=True)
    assert "overlay" not in initramfs.script(layers=False)
