"""Puts ``doorsill.txt`` on a card's boot partition with mtools: nothing is mounted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from doorsill.documents.boot.file import NAME
from doorsill.documents.durable import OWNER_ALONE, put, wipe
from doorsill.errors import ConfigError, UntrustedError
from doorsill_fleet.flash.looking import spans_of
from doorsill_fleet.flash.writing import forget, open_card

COPIED_S = 60.0  # for one small file
BOOT_SECTOR_BYTES = 512
FAT_NAMES = ((54, b"FAT"), (82, b"FAT32"))  # where a FAT says its kind


def put_boot_file(path: Path, data: bytes) -> None:
    """Write it on the first FAT partition of the card, and read it back.

    ConfigError if there is no such partition, UntrustedError if it comes back changed.
    """
    place = f"{path}@@{fat_offset(path)}"
    with tempfile.TemporaryDirectory(prefix="doorsill-flash-") as folder:
        file = Path(folder) / NAME
        put(file, data, OWNER_ALONE)
        try:
            _mtools("mcopy", "-o", "-i", place, str(file), f"::{NAME}")
        finally:
            wipe(file)
    _settle(path)
    if _mtools("mtype", "-i", place, f"::{NAME}") != data:
        raise UntrustedError(f"the card does not give {NAME} back; throw it away")


def fat_offset(path: Path) -> int:
    """The first byte of the first partition that is a FAT."""
    with path.open("rb") as card:
        for first, _ in spans_of(path):
            card.seek(first)
            sector = card.read(BOOT_SECTOR_BYTES)
            if any(sector[at : at + len(name)] == name for at, name in FAT_NAMES):
                return first
    raise ConfigError(f"{path} has no FAT partition: this is not an image of a camera")


def _settle(path: Path) -> None:
    handle = open_card(path)
    try:
        forget(handle)
    finally:
        os.close(handle)


def _mtools(*words: str) -> bytes:
    if shutil.which(words[0]) is None:
        raise ConfigError(f"{words[0]} is not installed: apt install mtools")
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            timeout=COPIED_S,
            check=False,
            env={**os.environ, "MTOOLS_SKIP_CHECK": "1"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{words[0]} does not answer: {error}") from None
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip() or done.returncode
        raise ConfigError(f"{NAME} cannot be put on the card: {why}")
    return done.stdout
