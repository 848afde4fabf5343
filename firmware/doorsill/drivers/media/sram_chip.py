"""A serial SRAM that can be driven: real opcodes, and a rail that can be cut.

It is the bus of :class:`doorsill.drivers.media.sram.SramMedium` where no board is.
"""

from __future__ import annotations

import random

from doorsill.drivers.media.sram import (
    READ,
    READ_MODE,
    SEQUENTIAL,
    SIZE_23LC1024,
    WRITE,
    WRITE_MODE,
)

BYTE = 0x00  # mode in which one byte is read or written
PAGE = 0x80  # mode in which the address counts through one page
PAGE_BYTES = 32  # of a page
SILENT = 0xFF  # the line is pulled up while it is not driven


class SimulatedSram:
    """Powers up in byte mode with random content, as silicon does."""

    def __init__(self, size: int = SIZE_23LC1024, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - what power-up leaves
        self._size = size
        self.powered = True
        self.stuck: int | None = None  # an address whose cell keeps its value
        self.power_up()

    def power_up(self) -> None:
        """The rail comes back: content undefined, mode register at its default."""
        self.memory = bytearray(self._random.randbytes(self._size))
        self.mode = BYTE
        self.powered = True

    def power_off(self) -> None:
        """The interlock cuts the rail."""
        self.powered = False

    def transfer(self, out: bytes) -> bytes:
        """One chip select; see :class:`doorsill.drivers.media.sram.Bus`."""
        if not self.powered or not out:
            return bytes([SILENT] * len(out))
        opcode = out[0]
        if opcode == WRITE_MODE and len(out) >= 2:
            self.mode = out[1] & 0xC0
        if opcode == READ_MODE:
            return bytes([SILENT]) + bytes([self.mode] * (len(out) - 1))
        if opcode in (READ, WRITE) and len(out) > 4:
            return self._access(opcode, int.from_bytes(out[1:4], "big"), out[4:])
        return bytes([SILENT] * len(out))

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _access(self, opcode: int, address: int, data: bytes) -> bytes:
        found = bytearray([SILENT] * 4)
        for index, byte in enumerate(data):
            at = self._address(address % self._size, index)
            if opcode == WRITE and at != self.stuck:
                self.memory[at] = byte
            found.append(self.memory[at] if opcode == READ else SILENT)
        return bytes(found)

    def _address(self, start: int, index: int) -> int:
        if self.mode == SEQUENTIAL:
            return (start + index) % self._size
        if self.mode == PAGE:
            page = start - start % PAGE_BYTES
            return page + (start + index) % PAGE_BYTES
        return start
