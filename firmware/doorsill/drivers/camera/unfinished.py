"""Why a recording cannot be opened: one that was never finished has no index.

An MP4 or MOV file is a row of boxes, each with its size and its kind. A recorder writes
the index (``moov``) last, so it is missing where the power went before the end.
Source: ISO/IEC 14496-12, 4.2.
"""

from __future__ import annotations

import os
from pathlib import Path

FIRST = (b"ftyp", b"wide", b"mdat", b"free", b"skip")  # kinds of a first box
INDEX = (b"moov", b"moof")  # of a whole file, of a fragment
MOST_BOXES = 10_000  # of a file that are looked at


def is_unfinished(path: Path) -> bool:
    """Whether a file is an MP4 or MOV without its index; False if it cannot be read."""
    try:
        kinds = _kinds(path)
    except OSError:
        return False
    return bool(kinds) and kinds[0] in FIRST and not set(kinds) & set(INDEX)


def _kinds(path: Path) -> list[bytes]:
    """The kinds of the boxes of a file, in their order."""
    kinds: list[bytes] = []
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        at = 0
        while at + 8 <= end and len(kinds) < MOST_BOXES:
            file.seek(at)
            head = file.read(16)
            size = int.from_bytes(head[:4], "big")
            if size == 1:  # its size follows in 64 bits
                size = int.from_bytes(head[8:], "big")
            kinds.append(head[4:8])
            if size < 8:  # to the end of the file, or damaged
                break
            at += size
    return kinds
