"""Which device files are a camera or an accelerator: no other is opened for writing.

The configuration names the camera and is not signed. So a name is followed to what it
stands for, and that must be a character device of the right kind by its numbers, as the
kernel gives them: never a folder, a file or a disk, even under the right name.

Source: Linux, Documentation/admin-guide/devices.txt; sysfs(5), /sys/dev/char.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from doorsill.errors import ConfigError

SYSFS = Path("/sys/dev/char")  # a link for each character device, by its numbers
VIDEO4LINUX = 81  # major number of cameras, which is fixed
USB = 189  # major number of USB devices, which is fixed
CORAL_IDS = ("1a6e:089a", "18d1:9302")  # a Coral on USB, before and after its firmware

Patterns = dict[str, tuple[str, ...]]  # path below the root, and the kinds allowed
# What libcamera opens, and of which kind it must be.
PI_CAMERA: Patterns = {
    "dev/video*": ("video4linux",),
    "dev/v4l-subdev*": ("video4linux",),
    "dev/media*": ("media",),
    "dev/dma_heap/*": ("dma_heap", "udmabuf"),
}
ACCELERATORS: Patterns = {"dev/apex_*": ("apex",), "dev/bus/usb/*/*": CORAL_IDS}


def is_device(source: str) -> bool:
    """Whether ``source`` names a device file: then it must be a camera."""
    return source.startswith("/dev/")


def camera_node(source: str) -> Path | None:
    """The device file behind ``source``, such as /dev/video0; None if none is there.

    Raises ConfigError where something else is there.
    """
    try:
        node = Path(source).resolve(strict=True)
        found = node.stat()
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"camera.source = {source}: {error}") from None
    if stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == VIDEO4LINUX:
        return node
    leads = "" if str(node) == source else f" leads to {node}, which"
    raise ConfigError(
        f"camera.source = {source}{leads} is no camera but {_form(found)}; a camera is "
        "a video4linux device, such as /dev/video0"
    )


def nodes_of(
    patterns: dict[str, tuple[str, ...]], root: Path = Path("/")
) -> list[Path]:
    """The device files below ``root`` that match a pattern and are of its kinds."""
    found = {
        node
        for pattern, kinds in patterns.items()
        for path in root.glob(pattern)
        for node in _resolve(path)
        if kind_of(node) in kinds
    }
    return sorted(found)


def kind_of(node: Path) -> str:
    """What the kernel calls a character device; "" for anything else.

    The class of its driver, a small driver's own name, or the ids of a USB device.
    """
    found = node.stat()
    if not stat.S_ISCHR(found.st_mode):
        return ""
    major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    there = SYSFS / f"{major}:{minor}"
    try:
        if major == USB:
            ids = [
                (there / each).read_text("ascii") for each in ("idVendor", "idProduct")
            ]
            return ":".join(each.strip() for each in ids)
        kind = (there / "subsystem").readlink().name
        return there.readlink().name if kind == "misc" else kind
    except (OSError, ValueError):
        return ""


def _resolve(path: Path) -> Iterator[Path]:
    try:
        yield path.resolve(strict=True)
    except (OSError, RuntimeError):
        return


def _form(found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return "a folder"
    if stat.S_ISREG(found.st_mode):
        return "a file"
    if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        numbers = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
        word = "character" if stat.S_ISCHR(found.st_mode) else "block"
        return f"the {word} device {numbers}"
    return "a pipe or a socket"
