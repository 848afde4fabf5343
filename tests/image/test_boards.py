"""The boot partition of a Raspberry Pi, made from stand-ins for what is its maker's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.errors import ConfigError
from image import boards, layout, system
from image.verity import Verified

TREE = '/dts-v1/;\n/ { compatible = "x"; gpio: gpio@1 { }; };\n'
OVERLAY = '/dts-v1/;\n/plugin/;\n&%s { status = "okay"; };\n'
HASH = "0" * 64

pytestmark = pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")


def compiled(path: Path, text: str) -> Path:
    source = path.with_suffix(".dts")
    source.write_text(text)
    words = ["dtc", "-q", "-@", "-O", "dtb", "-o", str(path), str(source)]
    subprocess.run(words, check=True, capture_output=True, timeout=PROGRAM_S)
    return path


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Raspberry Pi's packages, unpacked, as far as the boot partition looks at them."""
    folder = tmp_path / "given"
    trees = folder / "usr/lib/linux-image-6/broadcom"
    (folder / "usr/lib/linux-image-6/overlays").mkdir(parents=True)
    trees.mkdir()
    for board in ("pi4", "pi5"):
        for name in boards.BOARDS[board].trees:
            compiled(trees / name, TREE)
    (folder / "usr/lib/linux-image-6/overlays/imx219.dtbo").write_bytes(b"an overlay")
    (folder / "boot/firmware").mkdir(parents=True)
    for name in boards.BOARDS["pi4"].firmware:
        (folder / "boot/firmware" / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize("board", ["pi4", "pi5"])
def test_a_pi_finds_its_kernel_its_trees_and_the_overlays(
    board: str, given: Path
) -> None:
    found = boards.boot_files(board, given, {})
    wanted = boards.BOARDS[board]
    assert {*wanted.trees, *wanted.firmware, "overlays/imx219.dtbo"} <= set(found)
    config = found["config.txt"].decode()
    assert f"\nkernel={wanted.kernel}\n" in config
    assert "\ninitramfs initramfs8 followkernel\n" in config
    assert "\nenable_uart=0\n" in config


def test_qemu_is_given_its_files_by_whoever_starts_it(given: Path) -> None:
    assert boards.boot_files("virt", given, {}) == {}


def test_an_overlay_of_ours_is_named_in_the_configuration(
    given: Path, tmp_path: Path
) -> None:
    overlay = compiled(tmp_path / "ours.dtbo", OVERLAY % "gpio")
    found = boards.boot_files("pi5", given, {"ours": overlay})
    assert found["overlays/ours.dtbo"] == overlay.read_bytes()
    assert found["config.txt"].decode().endswith("\ndtoverlay=ours\n")


def test_an_overlay_that_names_a_missing_label_is_refused(
    given: Path, tmp_path: Path
) -> None:
    overlay = compiled(tmp_path / "bad.dtbo", OVERLAY % "gpoi")
    with pytest.raises(ConfigError, match=r"bad\.dtbo names gpoi.*bcm2711-rpi-4-b"):
        boards.boot_files("pi4", given, {"bad": overlay})


def test_a_package_without_the_boards_tree_is_refused(given: Path) -> None:
    for path in given.rglob("bcm2712-rpi-5-b.dtb"):
        path.unlink()
    with pytest.raises(ConfigError, match=r"bcm2712-rpi-5-b\.dtb is in none"):
        boards.boot_files("pi5", given, {})


def test_tryboot_starts_the_other_slot_once() -> None:
    parts = [each.name for each in layout.TABLE]
    slots: dict[str, str] = {}
    section = ""
    for line in boards.AUTOBOOT.splitlines():
        if line.startswith("["):
            section = line
        elif line.startswith("boot_partition="):
            slots[section] = parts[int(line.split("=")[1]) - 1]
    assert slots == {"[all]": "boot_a", "[tryboot]": "boot_b"}


@pytest.mark.parametrize("board", boards.BOARDS)
def test_the_kernel_line_is_one_line_with_slot_and_root_hash(board: str) -> None:
    line = boards.kernel_line(board, Verified(12, HASH), "b")
    assert line.count("\n") == 1
    assert f"doorsill.slot=b doorsill.verity=12:{HASH}" in line
    assert ("console=" in line) == (board == "virt")
    # Else a Pi's firmware has it off, and no unit's MemoryMax= holds.
    assert ("cgroup_enable=memory" in line.split()) == (board != "virt")


@pytest.mark.parametrize("dangling", [True, False])
def test_the_radios_program_is_chosen_as_the_packages_script_would(
    tmp_path: Path, dangling: bool
) -> None:
    folder = tmp_path / "cypress"
    folder.mkdir()
    (folder / "cyfmac43455-sdio-standard.bin").write_bytes(b"standard")
    (folder / "cyfmac43455-sdio-minimal.bin").write_bytes(b"minimal")
    name = folder / "cyfmac43455-sdio.bin"
    if dangling:
        name.symlink_to("/etc/alternatives/cyfmac43455-sdio.bin")
    boards.choose_radio(tmp_path)
    assert name.read_bytes() == b"standard" and not name.readlink().is_absolute()
    name.unlink()
    name.write_bytes(b"a file of its own")
    boards.choose_radio(tmp_path)
    assert name.read_bytes() == b"a file of its own"


@pytest.mark.parametrize("board", ["pi4", "pi5"])
def test_picamera2_finds_the_link_to_its_memory(board: str) -> None:
    (rules,) = (system.HERE / f"system-{board}/usr/lib/udev").rglob("*.rules")
    assert 'SYMLINK+="dma_heap/vidbuf_cached"' in rules.read_text("utf-8")
