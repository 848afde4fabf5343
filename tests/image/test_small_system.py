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


# What systemd asks for by itself, and what the rules of the filter stand on.
ASKED_FOR = {"autofs4", "nf_tables", "nft_ct", "nf_log_syslog", "vfat"}
# What a Pi has as modules where Debian has it built in, or has no such device.
OF_A_PI = {
    "pi4": {"bcm2835_unicam_legacy", "bcm2835_isp", "i2c_bcm2835", "i2c_mux_pinctrl"},
    "pi5": {"rp1_cfe_downstream", "pisp_be", "i2c_designware_platform"},
}
CAMERA_3, RADIO = {"imx708", "dw9807_vcm"}, {"brcmfmac", "brcmfmac_wcc"}


@pytest.mark.parametrize("board", ["virt", "pi4", "pi5"])
def test_what_systemd_and_the_filter_ask_for_is_on_every_board(board: str) -> None:
    _, names = modules.wanted(board)
    assert set(names) >= ASKED_FOR and len(set(names)) == len(names)


@pytest.mark.parametrize("board", OF_A_PI)
def test_a_pi_has_what_nothing_else_loads(board: str) -> None:
    """The hash of dm-verity: its driver asks for it when no program could load it."""
    early, names = modules.wanted(board)
    assert early.index("sha256") < early.index("dm_verity")
    assert OF_A_PI[board] | CAMERA_3 | RADIO | {"ipv6", "uvcvideo", "spidev"} <= set(
        names
    )


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


def a_partition(sys: Path, disk: str, name: str, called: str) -> None:
    """As the kernel shows one: a link into the folder of its disk."""
    real = sys / "devices" / disk / name
    real.mkdir(parents=True)
    (real / "uevent").write_text(f"DEVNAME={name}\nPARTNAME={called}\n")
    link = sys / "class/block" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(real)


def found(sys: Path, *words: str) -> str:
    """What find_partition of the script says, of a kernel's files below ``sys``."""
    text = initramfs.script(layers=False)
    start, end = text.index("find_partition() {"), text.index("\npart=$(")
    functions = text[start:end].replace("/sys/class/block", str(sys / "class/block"))
    done = subprocess.run(
        ["sh", "-c", f'{functions}\nfind_partition "$@"', "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    return done.stdout.strip()


def test_state_is_looked_for_on_the_disk_of_the_system_alone(tmp_path: Path) -> None:
    """A stick with a partition of that name, as another camera's card has one."""
    a_partition(tmp_path, "another", "another7", "state")
    a_partition(tmp_path, "card", "card4", "system_a")
    assert found(tmp_path, "system_a", "0") == "card4"
    assert found(tmp_path, "state", "0", "card") == ""
    a_partition(tmp_path, "card", "card7", "state")
    assert found(tmp_path, "state", "0", "card") == "card7"
    assert found(tmp_path, "state", "0", "another") == "another7"
    assert found(tmp_path, "system_b", "0") == ""


def test_only_a_virtual_camera_takes_a_layer() -> None:
    """A second system over the checked one is for tests, and for no camera."""
    assert "lowerdir" in initramfs.script(layers=True)
    assert "overlay" not in initramfs.script(layers=False)
