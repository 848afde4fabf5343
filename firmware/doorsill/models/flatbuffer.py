"""Read tables out of a flatbuffer that is not trusted.

A table is a signed offset back to its list of fields; a field that is not in the list
has its default. Every offset is checked against the bytes that are there: one that
points outside raises ValueError, and nothing else is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MOST_ENTRIES = 1 << 20  # of one list, at most


@dataclass(frozen=True, slots=True)
class Table:
    """One table at ``at`` in ``data``."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that a flatbuffer begins with."""
        return cls(data, _read("<I", data, 0))

    def number(self, field: int, code: str = "i", default: float = 0) -> float:
        """A number of the type that ``code`` names, as in ``struct``."""
        place = self._place(field)
        return default if place is None else _read("<" + code, self.data, place)

    def table(self, field: int) -> Table | None:
        """The table that a field points to."""
        place = self._target(field)
        return None if place is None else Table(self.data, place)

    def tables(self, field: int) -> Iterator[Table]:
        """The tables of a list; none where the field is absent."""
        start, count = self._list(field, 4)
        for place in range(start, start + 4 * count, 4):
            yield Table(self.data, place + _read("<I", self.data, place))

    def numbers(self, field: int, code: str = "i") -> tuple[float, ...]:
        """The numbers of a list."""
        start, count = self._list(field, struct.calcsize(code))
        return struct.unpack_from(f"<{count}{code}", self.data, start)

    def raw(self, field: int) -> bytes:
        """The bytes of a list of bytes, or of a text."""
        start, count = self._list(field, 1, len(self.data))
        return self.data[start : start + count]

    def text(self, field: int) -> str:
        """A text."""
        return self.raw(field).decode("utf-8", "replace")

    def _place(self, field: int) -> int | None:
        """Where a field's value lies; None where it has its default."""
        fields = self.at - _read("<i", self.data, self.at)
        size = _read("<H", self.data, fields)
        entry = 4 + 2 * field
        offset = _read("<H", self.data, fields + entry) if entry + 2 <= size else 0
        return self.at + offset if offset else None

    def _target(self, field: int) -> int | None:
        place = self._place(field)
        return None if place is None else place + _read("<I", self.data, place)

    def _list(
        self, field: int, width: int, most: int = MOST_ENTRIES
    ) -> tuple[int, int]:
        place = self._target(field)
        if place is None:
            return 0, 0
        count = _read("<I", self.data, place)
        if count > most or place + 4 + count * width > len(self.data):
            raise ValueError(f"a list of {count} entries does not fit in the file")
        return place + 4, count


def _read(code: str, data: bytes, place: int) -> int:
    if not 0 <= place <= len(data) - struct.calcsize(code):
        raise ValueError(f"an offset points to byte {place} of {len(data)}")
    value: int = struct.unpack_from(code, data, place)[0]
    return value
