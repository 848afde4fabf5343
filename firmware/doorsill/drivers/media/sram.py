"""Serial SRAM on SPI as a medium: 23LC1024 and its kin, behind the interlock of hw/.

    opcode │ address, 3 bytes │ data …          one chip select per transfer
    0x02 WRITE   0x03 READ   0x01 WRMR   0x05 RDMR

Source: Microchip DS20005142, section 2. When the interlock cuts the rail the chip is
silent and its mode register is lost; a driver that does not read back would not know.
Silence is reported as NoAnswer: it is neither blank nor a fault. A chip that was never
there gives the same answer, so a vault without one never opens.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path
from typing import Protocol

from doorsill.drivers.media.medium import (
    MediumFacts,
    NoAnswer,
    require_room,
    require_same,
)
from doorsill.errors import ConfigError, UntrustedError

# Opcodes
WRITE_MODE = 0x01
WRITE = 0x02
READ = 0x03
READ_MODE = 0x05
SEQUENTIAL = 0x40  # mode in which the address counts through the whole array
SIZE_23LC1024 = 128 << 10  # bytes
CHUNK = 2048  # bytes of data in a transfer; spidev takes 4096 unless set otherwise
SPEED_HZ = 10_000_000  # of the SPI clock


class Bus(Protocol):
    """One chip select: bytes out, as many bytes in."""

    def transfer(self, out: bytes) -> bytes:
        """Select, shift ``out`` out, give what was shifted in, deselect."""

    def close(self) -> None:
        """Let go of the bus."""


class SpidevBus:
    """The kernel's /dev/spidevN.M, SPI mode 0 (linux/spi/spidev.h)."""

    _MESSAGE = struct.Struct("=QQIIHBBBBBB")  # struct spi_ioc_transfer, 32 bytes
    _SEND_ONE = 0x40206B00  # SPI_IOC_MESSAGE(1)

    def __init__(self, path: Path) -> None:
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError(f"the SPI bus {path}: {error.strerror}") from None

    def transfer(self, out: bytes) -> bytes:
        """See :class:`Bus`."""
        sent = ctypes.create_string_buffer(out, len(out))
        got = ctypes.create_string_buffer(len(out))
        addresses = ctypes.addressof(sent), ctypes.addressof(got)
        message = self._MESSAGE.pack(
            *addresses, len(out), SPEED_HZ, 0, 8, 0, 0, 0, 0, 0
        )
        try:
            fcntl.ioctl(self._handle, self._SEND_ONE, message)
        except OSError as error:
            raise UntrustedError(f"the SPI bus failed: {error.strerror}") from None
        return got.raw

    def close(self) -> None:
        """See :class:`Bus`."""
        os.close(self._handle)


class SramMedium:
    """A medium on a serial SRAM; every write is read back over the bus."""

    def __init__(self, bus: Bus, size: int = SIZE_23LC1024) -> None:
        """The chip may be without power, which comes with the card in the reader.

        ``size`` is in bytes.
        """
        self._bus = bus
        self._used = 0
        self.facts = MediumFacts("sram", f"serial SRAM of {size >> 10} KiB", size)
        self._bus.transfer(bytes((WRITE_MODE, SEQUENTIAL)))

    def append(self, record: bytes) -> int:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        offset = require_room(self.facts, self._used, len(record))
        self._require_power()
        self._write(offset, record)
        self._used += len(record)
        require_same(self.read_back(offset, len(record)), record, self.facts)
        return offset

    def read_back(self, offset: int, size: int) -> bytes:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        self._require_power()
        found = b""
        for at in range(offset, offset + size, CHUNK):
            count = min(CHUNK, offset + size - at)
            found += self._bus.transfer(_head(READ, at) + bytes(count))[4:]
        self._require_power()  # its power may have gone during the reading
        return found

    def blank(self) -> tuple[str, ...]:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        self._bus.transfer(bytes((WRITE_MODE, SEQUENTIAL)))
        self._require_power()
        self._write(0, bytes(self.facts.size))
        self._used = 0
        return ("overwritten",)

    def close(self) -> None:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        self._bus.close()

    def _write(self, offset: int, data: bytes) -> None:
        for at in range(0, len(data), CHUNK):
            chunk = data[at : at + CHUNK]
            self._bus.transfer(_head(WRITE, offset + at) + chunk)

    def _answers(self) -> bool:
        return self._bus.transfer(bytes((READ_MODE, 0)))[1] == SEQUENTIAL

    def _require_power(self) -> None:
        if not self._answers():
            raise NoAnswer("the serial SRAM does not answer: its power is gone, or was")


def open_sram(path: Path) -> SramMedium:
    """Open the serial SRAM on the SPI device ``path``; raises ConfigError."""
    return SramMedium(SpidevBus(path))


def _head(opcode: int, address: int) -> bytes:
    return bytes((opcode,)) + address.to_bytes(3, "big")
