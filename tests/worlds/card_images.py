"""Small images of cards with a real partition table and a real FAT, and their maps."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from limits import PROGRAM_S

MEGA = 1 << 20
BLOCK = 4096
FAT_AT = MEGA  # where the boot partition begins
TABLE = f"label: gpt\nfirst-lba: 34\n\nstart={FAT_AT // 512}, size=32768\nsize=16384\n"
ROOT_AT = FAT_AT + 16 * MEGA


def make_image(path: Path) -> Path:
    """An image of 32 MiB: a FAT labelled DOORSILL, a partition of noise, and holes."""
    with path.open("wb") as file:
        file.truncate(32 * MEGA)
    _run("sfdisk", "--quiet", str(path), given=TABLE.encode())
    _run("mkfs.fat", "-n", "DOORSILL", "--offset", str(FAT_AT // 512), str(path),
         str(16 * 1024))  # fmt: skip
    with path.open("r+b") as file:
        file.seek(ROOT_AT)
        file.write(noise(3 * MEGA))
    return path


def noise(count: int) -> bytes:
    """Bytes that are not the same anywhere."""
    rows = (hashlib.sha256(b"%d" % each).digest() for each in range(count // 32))
    return b"".join(rows)


def write_map(image: Path) -> Path:
    """Its ``.bmap``, as bmaptool makes it: all that was written, also where it is zero.

    A table of partitions or of a FAT ends in zeros, which must not be left out: what
    was on the card before would be read in their place.
    """
    size, rows = image.stat().st_size, []
    with image.open("rb") as file:
        for first, ends in spans(file, size):
            file.seek(first)
            digest = hashlib.sha256(file.read(ends - first)).hexdigest()
            last = -(-ends // BLOCK) - 1
            rows.append(f'<Range chksum="{digest}"> {first // BLOCK}-{last} </Range>')
    text = map_text(size, rows)
    path = image.with_name(f"{image.name}.bmap")
    path.write_text(text)
    return path


def spans(file: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    """Where the file is no hole: lseek(2)."""
    at = 0
    while at < size:
        try:
            first = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO
            return
        at = os.lseek(file.fileno(), first, os.SEEK_HOLE)
        yield first, at


def map_text(size: int, rows: list[str], block: int = BLOCK) -> str:
    """A map with its own checksum."""
    text = (
        '<?xml version="1.0" ?>\n<bmap version="2.0">\n'
        f"<ImageSize> {size} </ImageSize>\n<BlockSize> {block} </BlockSize>\n"
        "<ChecksumType> sha256 </ChecksumType>\n"
        f"<BmapFileChecksum> {'0' * 64} </BmapFileChecksum>\n"
        f"<BlockMap>\n{chr(10).join(rows)}\n</BlockMap>\n</bmap>\n"
    )
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1)


def make_card(path: Path, size: int = 40 * MEGA) -> Path:
    """A file that stands for a card, with an old content."""
    path.write_bytes(b"old " * (size // 4))
    return path


def boot_text(card: Path, name: str = "doorsill.txt") -> bytes:
    """A file of the card's boot partition."""
    return _run("mtype", "-i", f"{card}@@{FAT_AT}", f"::{name}")


def _run(*words: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        words, input=given, capture_output=True, timeout=PROGRAM_S, check=True
    )
    return done.stdout
