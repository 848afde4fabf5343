"""A serial SRAM behind the interlock: ngspice's own rail, or a switch, powers it.

What a chip does while its rail falls is not in its data sheet, so it is the worst here:
it answers down to ``WORKS_V``, forgets its mode below ``MODE_V`` and its cells below
``CELLS_V``; in between some cells turn.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from doorsill.drivers.media import sram
from doorsill.drivers.media.sram_chip import BYTE, SILENT, SimulatedSram

WORKS_V = 2.5  # DS20005142: the supply that it needs
MODE_V = 1.5  # below it the mode register is at its default when power is back
CELLS_V = 0.5  # below it the cells hold noise when power is back
BYTE_S = 8 / sram.SPEED_HZ
TURNED = 400  # cells that turn in a brown-out that keeps the others


class Rail:
    """A waveform: volts at any second."""

    def __init__(self, times: Sequence[float], volts: Sequence[float]) -> None:
        self.times, self.volts = list(times), list(volts)

    def at(self, second: float) -> float:
        """Volts then; the last value after the end."""
        after = bisect_right(self.times, second)
        if after == 0 or after == len(self.times):
            return self.volts[min(after, len(self.volts) - 1)]
        t0, t1 = self.times[after - 1 : after + 1]
        v0, v1 = self.volts[after - 1 : after + 1]
        return v0 + (v1 - v0) * (second - t0) / ((t1 - t0) or 1.0)

    def lowest(self, start: float, end: float) -> float:
        """The lowest volts of a time."""
        inside = self.volts[
            bisect_right(self.times, start) : bisect_right(self.times, end)
        ]
        return min([self.at(start), self.at(end), *inside])


class InterlockedSram(SimulatedSram):
    """A chip on a rail; its clock runs with the bytes, and with ``wait_until``."""

    def __init__(self, rail: Rail, now_s: float = 0.0) -> None:
        super().__init__()
        self.rail, self.now_s = rail, now_s
        self.turn = random.Random(7)
        self.feel(0.0, now_s)

    def wait_until(self, second: float) -> None:
        """Nothing is sent until then."""
        self.feel(self.now_s, second)
        self.now_s = second

    def transfer(self, out: bytes) -> bytes:
        """See :class:`SimulatedSram`; what comes after the rail is gone is silence."""
        served = 0
        while served < len(out) and self.rail.at(self.now_s) >= WORKS_V:
            served += 1
            self.now_s += BYTE_S
        got = super().transfer(out[:served]) if served else b""
        if served < len(out):
            end = self.now_s + (len(out) - served) * BYTE_S
            self.feel(self.now_s, end)
            self.now_s = end
        return got + bytes([SILENT] * (len(out) - served))

    def feel(self, start: float, end: float) -> None:
        lowest = self.rail.lowest(start, end)
        if lowest < CELLS_V:
            self.memory = bytearray(self.turn.randbytes(len(self.memory)))
        elif lowest < WORKS_V:
            for _ in range(TURNED):
                self.memory[self.turn.randrange(len(self.memory))] ^= 0x10
        if lowest < MODE_V:
            self.mode = BYTE
        self.powered = True


class SwitchedSram(SimulatedSram):
    """A chip whose rail is on while a file says 1: for a vault in another process."""

    def __init__(self, switch: Path) -> None:
        super().__init__()
        self.switch = os.open(switch, os.O_RDONLY | os.O_CLOEXEC)
        self.power_off()

    def transfer(self, out: bytes) -> bytes:
        """See :class:`SimulatedSram`."""
        on = os.pread(self.switch, 1, 0) == b"1"
        if on and not self.powered:
            self.power_up()
        elif not on:
            self.power_off()
        return super().transfer(out)


def put_behind(switch: Path) -> None:
    """Every serial SRAM that this process opens is simulated, behind ``switch``."""

    def made(path: Path) -> SwitchedSram:
        return SwitchedSram(switch)

    sram.SpidevBus = made  # type: ignore[misc]
