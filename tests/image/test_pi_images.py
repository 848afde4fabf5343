"""Whole images for a Raspberry Pi, from stand-ins for what is its maker's: `make long`.

Real are layout, settings, program, small system and boot files; a kernel is some bytes,
and its modules are empty. So it shows what is where, and nothing of a Pi.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from built import OUT, built
from children import printed
from limits import LONG

from deb import build as deb
from image import boards, build, layout, lock, modules
from image.build import Build

VERSION = {"pi4": "6.18.50+rpt-rpi-v8", "pi5": "6.18.50+rpt-rpi-2712"}
TREE = '/dts-v1/;\n/ { compatible = "x"; gpio: gpio@1 { }; };\n'
OVERLAY = '/dts-v1/;\n/plugin/;\n&gpio { status = "okay"; };\n'
CONTROL = (
    "Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: x\nDescription: x\n"
)
KERNEL = b"a kernel that nobody starts" * 1000

pytestmark = [
    built,
    pytest.mark.skipif(not LONG, reason="make long builds two images"),
    pytest.mark.timeout(840),
]


def compiled(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".dts")
    source.write_text(text)
    printed("dtc", "-q", "-@", "-O", "dtb", "-o", path, source)
    source.unlink()


def packed(folder: Path, name: str) -> Path:
    """``folder`` as a package of Debian's kind."""
    (folder / "DEBIAN").mkdir()
    (folder / "DEBIAN/control").write_text(CONTROL.format(name=name))
    path = folder.parent / f"{name}.deb"
    printed("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder, path)
    return path


def kernel(board: str, work: Path) -> Path:
    """As Raspberry Pi packs one: modules, trees, overlays, and the kernel in /boot."""
    folder, version = work / "kernel", VERSION[board]
    below = folder / "usr/lib/modules" / version
    (below / "kernel/drivers").mkdir(parents=True)
    empty = work / "empty.c"
    empty.write_text("int nothing;\n")
    printed("gcc", "-c", "-o", work / "empty.o", empty)
    for name in modules.wanted(board)[1]:
        shutil.copy(work / "empty.o", below / "kernel/drivers" / f"{name}.ko")
    for name in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
        (below / name).touch()
    made = folder / "usr/lib" / f"linux-image-{version}"
    for name in boards.BOARDS[board].trees:
        compiled(made / "broadcom" / name, TREE)
    compiled(made / "overlays/imx708.dtbo", OVERLAY)
    (folder / "boot").mkdir()
    (folder / "boot" / f"vmlinuz-{version}").write_bytes(gzip.compress(KERNEL))
    return packed(folder, "kernel")


def programs(board: str, work: Path) -> Path:
    """The board's own, and its radio's."""
    folder = work / "programs"
    radio = folder / "usr/lib/firmware/cypress/cyfmac43455-sdio-standard.bin"
    radio.parent.mkdir(parents=True)
    radio.write_bytes(b"a radio's program")
    for name in boards.BOARDS[board].firmware:
        path = folder / "usr/lib/raspi-firmware" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return packed(folder, "programs")


@pytest.fixture(scope="module", params=["pi4", "pi5"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Build]:
    board = str(request.param)
    work = tmp_path_factory.mktemp(board)
    ours = work / "interlock.dtbo"
    compiled(ours, OVERLAY)
    wanted = Build(
        board,
        work / "out",
        OUT.parent / "cache",
        deb.epoch(),
        tuple(lock.locked(lock.LOCK.read_text("utf-8"))),
        (kernel(board, work), programs(board, work)),
        (ours,),
    )
    wanted.out.mkdir()
    build.build(wanted)
    yield wanted
    shutil.rmtree(work)


def inside(made: Build, part: str, name: str) -> str:
    return printed("mtype", "-i", made.parts / f"{part}.img", f"::{name}")


def test_a_pi_image_has_all_that_its_board_looks_for(made: Build) -> None:
    board = boards.BOARDS[made.board]
    names = set(
        printed("mdir", "-b", "-/", "-i", made.parts / "boot_a.img", "::").split()
    )
    wanted = {board.kernel, "initramfs8", "cmdline.txt", "config.txt"}
    wanted |= {*board.trees, *board.firmware}
    wanted |= {"overlays/imx708.dtbo", "overlays/interlock.dtbo"}
    assert {f"::/{each}" for each in wanted} <= names
    config = inside(made, "boot_a", "config.txt")
    assert f"kernel={board.kernel}\n" in config and "dtoverlay=interlock\n" in config
    line = inside(made, "boot_a", "cmdline.txt")
    assert line.startswith(f"{boards.MEMORY_LIMITS} quiet ")
    assert re.fullmatch(r".*doorsill\.slot=a doorsill\.verity=\d+:[0-9a-f]{64}\n", line)
    assert "tryboot_a_b=1" in inside(made, "bootconfig", "autoboot.txt")


def test_a_pi_image_lets_nobody_in_and_takes_no_layer(made: Build) -> None:
    """No console, no shell on the serial line, no second disk over the system."""
    assert list(made.root.rglob("serial-shell*")) == []
    assert "enable_uart=0" in inside(made, "boot_a", "config.txt")
    small = gzip.decompress((made.out / "initramfs").read_bytes())
    assert b"lowerdir=" not in small and b"dm_verity" in small


def test_a_pi_image_has_its_camera_and_its_radio(made: Build) -> None:
    (rules,) = made.root.glob("usr/lib/udev/rules.d/71-doorsill-heap.rules")
    assert 'SYMLINK+="dma_heap/vidbuf_cached"' in rules.read_text("utf-8")
    radio = made.root / "usr/lib/firmware/cypress/cyfmac43455-sdio.bin"
    assert radio.read_bytes() == b"a radio's program"
    index = made.root / "usr/lib/modules" / VERSION[made.board] / "modules.dep"
    names = {
        modules.plain(line.split(":")[0]) for line in index.read_text().split("\n")
    }
    assert {"imx708", "imx219", "brcmfmac"} <= names


def test_a_pi_image_is_offered_to_its_board_and_is_small(made: Build) -> None:
    (entry,) = json.loads((made.out / "os_list.json").read_text())["os_list"]
    assert entry["devices"] == [f"{made.board}-64bit"]
    assert entry["image_download_size"] <= layout.PACKED_MOST
    bill = (made.out / f"{made.image.name}.cdx.json").read_text("utf-8")
    named = {each["name"] for each in json.loads(bill)["components"]}
    assert {"kernel.deb", "programs.deb", "picamera2"} <= named
