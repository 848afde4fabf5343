"""Search for pictures where none may be: on the disk of a device that counts."""

from __future__ import annotations

import contextlib
from pathlib import Path

from doorsill.config import Config

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".raw", ".yuv", ".rgb", ".mp4")


def raw_faces(config: Config) -> int:
    """The number of files on the device's disk that are images by name or content."""
    found = 0
    for folder in (config.device.state, config.device.run):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and _is_picture(path):
                    found += 1
    return found


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    magic = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"GIF8")
    return path.suffix.lower() in IMAGE_SUFFIXES or head.startswith(magic)
