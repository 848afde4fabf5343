"""picamera2 and libcamera, found and fit for this board, or one sentence on why not.

picamera2 finds out once, when it is imported, which board it runs on: it opens
``/dev/video*`` for that, and if it cannot open them it assumes a Pi 4. So the board's
own device tree decides here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doorsill.errors import CameraError, ConfigError

COMPATIBLE = (
    Path("/proc/device-tree/compatible"),
    # For a unit that hides most of /proc:
    Path("/sys/firmware/devicetree/base/compatible"),
)
PI_5 = b"brcm,bcm2712"  # the chip whose image processor picamera2 calls PISP


@dataclass(frozen=True, slots=True)
class Library:
    """The part of picamera2 and libcamera that is used here."""

    open: type[Any]  # picamera2.Picamera2; its argument is the camera's number
    mapped_array: Callable[..., Any]  # picamera2.MappedArray
    colour_space: Callable[[], Any]  # libcamera.ColorSpace.Smpte170m
    platform: str  # PISP: Pi 5; VC4: before


def find_library() -> Library:
    """Import what this system has; raises ConfigError where it cannot be used at all.

    Raises CameraError where picamera2 takes this board for another one: it finds that
    out again only in a new process.
    """
    found = _import()
    require_board(found.platform, _compatible())
    return found


def require_board(platform: str, compatible: bytes) -> None:
    """Raise CameraError unless ``platform`` is that of the board's device tree."""
    if PI_5 in compatible.split(b"\0") and platform != "PISP":
        raise CameraError(
            "picamera2 takes this Raspberry Pi 5 for an older one: it could not open"
            " /dev/video* when it started; let this user join the group video"
        )


def _import() -> Library:
    """Import both modules. Any error may come: they load compiled parts of others."""
    try:
        picamera2, libcamera = map(importlib.import_module, ("picamera2", "libcamera"))
        return Library(
            picamera2.Picamera2,
            picamera2.MappedArray,
            libcamera.ColorSpace.Smpte170m,
            picamera2.Picamera2.platform.name,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            "camera.driver = 'picamera' needs a Raspberry Pi with python3-picamera2"
            f" from apt, in a virtual environment with --system-site-packages: {error}"
        ) from error
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"picamera2 cannot be imported{_cure(said)}: {said}"
        ) from error


def _cure(said: str) -> str:
    """What to do first, by what the failed import said."""
    if "numpy" in said.lower() or "_ARRAY_API" in said:
        return (
            ", it is built for another numpy than doorsill's: `pip install 'numpy<2'`"
            " in doorsill's environment"
        )
    return "; reinstall it: `sudo apt install --reinstall python3-picamera2`"


def _compatible() -> bytes:
    for path in COMPATIBLE:
        try:
            return path.read_bytes()
        except OSError:
            continue
    return b""
