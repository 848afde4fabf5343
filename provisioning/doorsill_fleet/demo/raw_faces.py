"""Search for pictures where none may be: on the disk of a device that counts."""

from __future__ import annotations

import contextlib
from pathlib import Path

from doorsill.channels.tray import RECORD, read_tray
from doorsill.config import Config
from doorsill.errors import UntrustedError
from doorsill.wire.codec import decode

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".raw", ".yuv", ".rgb", ".mp4")
# The outbox is a SQLite database; its log begins with one of two numbers (walformat).
DATABASE = (b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
SHARED_INDEX = "-shm"  # how the name of the index of a database's log ends


def raw_faces(config: Config) -> int:
    """The number of files on the device's disk that may hold a picture.

    A device writes text, one database, and the tray with the vault's certificates.
    Every other file counts, by any name.
    """
    found = 0
    for folder in (config.device.state, config.device.run):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                tray = path == config.tray and holds_certificates_alone(path)
                if path.is_file() and not tray and may_hold_picture(path):
                    found += 1
    return found


def holds_certificates_alone(path: Path) -> bool:
    """Whether each record of a tray is empty or holds a certificate."""
    data = path.read_bytes()
    records = [data[at : at + RECORD] for at in range(0, len(data), RECORD)]
    messages = read_tray(path)
    try:
        for each in messages:
            decode("certificate", each)
    except UntrustedError:
        return False
    return sum(map(any, records)) == len(messages)


def may_hold_picture(path: Path) -> bool:
    """Whether a file is an image by its name, or neither text nor the database."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    if path.name.endswith(SHARED_INDEX):
        return False
    with path.open("rb") as file:
        head = file.read(len(DATABASE[0]))
        return not head.startswith(DATABASE) and not _is_text(head + file.read())


def _is_text(data: bytes) -> bool:
    try:
        return all(char.isprintable() or char in "\n\t" for char in data.decode())
    except UnicodeDecodeError:
        return False
