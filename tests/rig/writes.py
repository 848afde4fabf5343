"""All that a guest wrote to its disk, in order: the log of QEMU's ``blklogwrites``.

A file that was deleted, a journal that was trimmed, a swap that was wiped: each write
of the run stands here, whatever the disk shows at the end.

    head (one sector): magic, version, entries, sector size
    each entry: one sector (first sector, sectors, flags, bytes of data), then its data
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MAGIC = 0x6A736677736872
HEAD = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
SECTOR = 512  # bytes, of the addresses
FLUSH, FUA, DISCARD = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Write:
    """One entry of the log."""

    at: int  # first byte on the disk
    data: bytes  # empty for a flush or a discard
    flags: int


def writes(log: Path) -> Iterator[Write]:
    """Every entry of ``log``, in the order in which the disk took it.

    The head's count is what was written when the guest was switched off in order; a log
    that was cut (its guest killed) is read up to its end. ValueError if it is none.
    """
    with log.open("rb") as file:
        magic, version, _, sector = HEAD.unpack(file.read(HEAD.size))
        if magic != MAGIC or version != 1 or sector not in (512, 4096):
            raise ValueError(f"{log} is no log of writes")
        file.seek(sector)
        while len(head := file.read(sector)) == sector:
            first, count, flags, _ = ENTRY.unpack_from(head)
            if (first, count, flags) == (0, 0, 0):
                return  # space that was made and not used
            data = b"" if flags & DISCARD else file.read(count * sector)
            yield Write(first * sector, data, flags)


@dataclass(frozen=True, slots=True)
class Found:
    """What one search of a log came to."""

    entries: int
    bytes: int  # written, again counted where written again
    hits: tuple[tuple[str, int], ...]  # what was found, and where on the disk


def search(log: Path, needles: Sequence[tuple[str, bytes]]) -> Found:
    """Where each of ``needles`` (a name, its bytes) stands in what was written.

    A needle may lie across two writes that follow each other on the disk.
    """
    entries = total = 0
    hits: list[tuple[str, int]] = []
    longest = max((len(needle) for _, needle in needles), default=1)
    tail, tail_end = b"", -1
    for each in writes(log):
        entries += 1
        total += len(each.data)
        if not each.data:
            continue
        before = tail if tail_end == each.at else b""
        text = before + each.data
        for name, needle in needles:
            if (place := text.find(needle)) >= 0:
                hits.append((name, each.at - len(before) + place))
        tail, tail_end = (
            text[-(longest - 1) :] if longest > 1 else b"",
            each.at + len(each.data),
        )
    return Found(entries, total, tuple(hits))
