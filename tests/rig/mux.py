"""The SD card that board and this machine share, and the files on its boot partition.

    board switched off ─► to_host ─► mtools read and write ─► to_board ─► switched on

A guest's card is a file, so its mux is one that only looks after whose turn it is.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .errors import BenchError
from .switches import run

PROGRAM_S = 30.0
APPEARS_S = 10.0  # for the kernel of this machine to see the card
LOOK_S = 0.1
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"  # of a GPT, as laptops show it


class SdMux(Protocol):
    """Whose card it is now."""

    def to_host(self) -> Path:
        """The card as a disk of this machine; BenchError if it does not come."""

    def to_board(self) -> None:
        """The board has it."""


@dataclass(slots=True)
class FakeMux:
    """A file in place of a card; it refuses to be read while the board has it."""

    disk: Path
    owner: str = "host"
    stuck: bool = False  # it switches, and no disk appears

    def to_host(self) -> Path:
        """The file."""
        if self.stuck:
            raise BenchError(f"no card appears at {self.disk}")
        self.owner = "host"
        return self.disk

    def to_board(self) -> None:
        """Note it."""
        self.owner = "board"


@dataclass(slots=True)
class UsbSdMux:
    """Linux Automation's USB-SD-Mux, by their program; ``disk`` is by-id here."""

    device: Path
    disk: Path
    program: str = "usbsdmux"
    appears_s: float = APPEARS_S

    def to_host(self) -> Path:
        """Switch, and wait until the kernel sees a card with bytes in it."""
        run([self.program, str(self.device), "host"], PROGRAM_S)
        ends = time.monotonic() + self.appears_s
        while not _has_bytes(self.disk):
            if time.monotonic() > ends:
                raise BenchError(f"no card appears at {self.disk}")
            time.sleep(LOOK_S)
        return self.disk

    def to_board(self) -> None:
        """Write out what this machine still holds, then switch."""
        run(["sync"], PROGRAM_S)
        run([self.program, str(self.device), "dut"], PROGRAM_S)


def _has_bytes(disk: Path) -> bool:
    try:
        with disk.open("rb") as file:
            return bool(file.read(512))
    except OSError:
        return False


@dataclass(slots=True)
class BootPartition:
    """A FAT partition that a laptop shows, ``offset`` bytes into a disk."""

    disk: Path
    offset: int
    _where: str = field(init=False)

    def __post_init__(self) -> None:
        self._where = f"{self.disk}@@{self.offset}"

    def names(self) -> list[str]:
        """Of the files in its first folder."""
        said = run(["mdir", "-b", "-i", self._where, "::"], PROGRAM_S)
        return [each.removeprefix("::/") for each in said.splitlines()]

    def read(self, name: str, work: Path) -> bytes:
        """A file of it, by way of the folder ``work``."""
        copy = work / "read"
        copy.unlink(missing_ok=True)
        run(["mcopy", "-n", "-i", self._where, f"::{name}", str(copy)], PROGRAM_S)
        return copy.read_bytes()

    def write(self, name: str, data: bytes, work: Path) -> None:
        """Put a file there, or another in its place, as a laptop would."""
        copy = work / "write"
        copy.write_bytes(data)
        run(["mcopy", "-o", "-i", self._where, str(copy), f"::{name}"], PROGRAM_S)

    def remove(self, name: str) -> None:
        """Delete a file of it."""
        run(["mdel", "-i", self._where, f"::{name}"], PROGRAM_S)


def partitions(disk: Path) -> list[tuple[str, int, int]]:
    """Each partition of ``disk``: its name or kind, first byte, bytes."""
    table = json.loads(run(["sfdisk", "-J", str(disk)], PROGRAM_S))["partitiontable"]
    sector = int(table.get("sectorsize", 512))
    return [
        (
            each.get("name") or each["type"],
            each["start"] * sector,
            each["size"] * sector,
        )
        for each in table["partitions"]
    ]


def flip(disk: Path, at: int) -> None:
    """Turn the lowest bit of the byte ``at`` of ``disk``, as a card that ages does."""
    with disk.open("r+b") as file:
        file.seek(at)
        (value,) = file.read(1)
        file.seek(at)
        file.write(bytes([value ^ 1]))
