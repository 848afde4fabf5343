"""Locked memory as a medium: gone with the process, and with the power."""

from __future__ import annotations

from doorsill.drivers.media.medium import (
    MediumFacts,
    require_room,
    require_same,
    require_size,
)
from doorsill.process.locked import LockedMemory


class MemoryMedium:
    """Locked memory: what it holds is gone with the power. The default."""

    def __init__(self, size: int) -> None:
        require_size(size, "memory")
        self._memory = LockedMemory(size)
        self._used = 0
        self.facts = MediumFacts("memory", "locked memory of the vault process", size)

    def append(self, record: bytes) -> int:
        """See :class:`Medium`."""
        offset = require_room(self.facts, self._used, len(record))
        self._memory.view[offset : offset + len(record)] = record
        require_same(self.read_back(offset, len(record)), record, self.facts)
        self._used += len(record)
        return offset

    def read_back(self, offset: int, size: int) -> bytes:
        """See :class:`Medium`."""
        return bytes(self._memory.view[offset : offset + size])

    def blank(self) -> tuple[str, ...]:
        """See :class:`Medium`."""
        self._memory.zeroise()
        self._used = 0
        return ("overwritten",)

    def close(self) -> None:
        """See :class:`Medium`."""
        self._memory.close()
