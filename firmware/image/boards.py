"""What lies on the boot partitions of each board, and what its kernel is started with.

A Raspberry Pi reads autoboot.txt on the first partition, which names the slot;
`tryboot` starts the other one once. It then reads config.txt of that slot. QEMU is
given the same files where it is started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from doorsill.errors import ConfigError
from image.steps import run
from image.verity import Verified

# Partition 2 is boot_a and 3 is boot_b; see layout.TABLE.
AUTOBOOT = """\
[all]
tryboot_a_b=1
boot_partition=2
[tryboot]
boot_partition=3
"""
CONFIG = """\
# Of a camera that nobody looks at: no screen, no sound, no Bluetooth, no console.
arm_64bit=1
kernel={kernel}
initramfs initramfs8 followkernel
os_check=0
enable_uart=0
disable_splash=1
camera_auto_detect=1
display_auto_detect=0
hdmi_blanking=2
dtparam=audio=off
dtparam=watchdog=on
dtoverlay=disable-bt
"""
SERIAL = "console=ttyAMA0"
# A Pi's firmware switches it off; then no unit's MemoryMax= holds.
MEMORY_LIMITS = "cgroup_enable=memory"


@dataclass(frozen=True, slots=True)
class Board:
    """What differs from board to board."""

    kernel: str  # the file's name on the boot partition
    trees: tuple[str, ...]  # device trees that the board may look for
    firmware: tuple[str, ...] = ()  # programs of the board itself


BOARDS = {
    "virt": Board("kernel8.img", ()),
    "pi4": Board(
        "kernel8.img",
        ("bcm2711-rpi-4-b.dtb", "bcm2711-rpi-cm4.dtb"),
        ("start4.elf", "fixup4.dat"),
    ),
    "pi5": Board("kernel_2712.img", ("bcm2712-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb")),
}


def kernel_line(board: str, verified: Verified, slot: str = "a") -> str:
    """One line: a second one would not be read."""
    words = [SERIAL if board == "virt" else MEMORY_LIMITS]
    words += ["quiet", "loglevel=4", "panic=10", verified.words(slot)]
    return " ".join(words) + "\n"


def config(board: str, overlays: Sequence[str] = ()) -> str:
    """config.txt of a Raspberry Pi, with ``overlays`` by name."""
    lines = [f"dtoverlay={each}\n" for each in overlays]
    return CONFIG.format(kernel=BOARDS[board].kernel) + "".join(lines)


def boot_files(
    board: str, given: Path, overlays: Mapping[str, Path]
) -> dict[str, bytes]:
    """What a slot's boot partition has beside kernel, small system and kernel line.

    ``given`` has the unpacked packages. ConfigError where an overlay
    names a label that a tree of the board has not, or where a file is not there.
    """
    if board == "virt":
        return {}
    wanted = BOARDS[board]
    found: dict[str, bytes] = {}
    for name in (*wanted.trees, *wanted.firmware):
        found[name] = _one(name, given).read_bytes()
    for path in sorted(given.rglob("overlays/*.dtb*")):
        found[f"overlays/{path.name}"] = path.read_bytes()
    for name, path in overlays.items():
        require_labels(path, [_one(each, given) for each in wanted.trees])
        found[f"overlays/{name}.dtbo"] = path.read_bytes()
    found["config.txt"] = config(board, list(overlays)).encode()
    return found


def require_labels(overlay: Path, trees: Sequence[Path]) -> None:
    """ConfigError names each label of ``overlay`` that one of ``trees`` has not."""
    wanted = _names(overlay, "/__fixups__")
    for tree in trees:
        missing = sorted(wanted - _names(tree, "/__symbols__"))
        if missing:
            raise ConfigError(
                f"the overlay {overlay.name} names {', '.join(missing)}, "
                f"and {tree.name} has no such label"
            )


def choose_radio(firmware: Path) -> None:
    """The program of a Pi's radio, of two: a script of the package would choose it."""
    name = firmware / "cypress/cyfmac43455-sdio.bin"
    usual = name.with_name("cyfmac43455-sdio-standard.bin")
    if usual.exists() and not name.exists():
        name.unlink(missing_ok=True)  # a link into /etc/alternatives
        name.symlink_to(usual.name)


def _names(tree: Path, node: str) -> set[str]:
    nodes = run(["fdtget", "-l", tree, "/"]).split()
    if node.strip("/") not in nodes:
        return set()
    return set(run(["fdtget", "-p", tree, node]).split())


def _one(name: str, folder: Path) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise ConfigError(f"{name} is in none of the packages that were given")
    return found[0]
