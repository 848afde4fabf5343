"""What several processes tell each other: each one's clock, and what it has sent."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

SLOTS = 16  # processes
ONE = struct.Struct("<qq")  # the clock, UTC s; bytes that passed the egress guard


class Clocks:
    """A file of SLOTS rows; each process writes its own."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SLOTS * ONE.size))
        with path.open("r+b") as file:
            self._rows = mmap.mmap(file.fileno(), SLOTS * ONE.size)
        self._latest = 0

    def put(self, slot: int, utc: float, sent: int) -> None:
        """The clock of process ``slot``, and the bytes that it has sent.

        In one copy: ``pack_into`` would show zeros to others before it writes.
        """
        at = slot * ONE.size
        self._rows[at : at + ONE.size] = ONE.pack(int(utc), sent)

    def latest(self) -> int:
        """The clock that is furthest, UTC s: the office's, which never goes back."""
        self._latest = max(self._latest, *(utc for utc, _ in self.rows()))
        return self._latest

    def rows(self) -> list[tuple[int, int]]:
        """Clock and bytes of each process."""
        return list(ONE.iter_unpack(bytes(self._rows)))
