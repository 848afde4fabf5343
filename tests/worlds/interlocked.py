"""A serial SRAM behind the interlock: ngspice's own rail, or a switch, powers it.

What a chip does while its rail falls is not in its data sheet, so it is the worst here:
it answers down to ``WORKS_V``, forgets its mode below ``MODE_V`` and its cells below
``CELLS_V``; in between some cells turn.
"""

from __future__ import annotations

import json
import os
import random
import time
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from doorsill.drivers.media import sram
from doorsill.drivers.media.sram_chip import BYTE, SILENT, SimulatedSram
from interlock.netlist import Board
from interlock.spice.scenarios import SCENARIOS, Scenario
from interlock.spice.study import play
from interlock.spice.world import World

WORKS_V = 2.5  # DS20005142: the supply that it needs
MODE_V = 1.5  # below it the mode register is at its default when power is back
CELLS_V = 0.5  # below it the cells hold noise when power is back
BYTE_S = 8 / sram.SPEED_HZ
TURNED = 400  # cells that turn in a brown-out that keeps the others
FULL_V = 3.3
# For so long a pulse gives power. On a board it is 26 ms: a machine that runs tests is
# late now and then. How late a vault is under load, says the bench.
HOLD_S = 1.0
CUT_AT = 1000  # bytes of a transfer that are written when the rail goes in it
STALL_S = 0.01  # between two looks whether the bus hangs still
ORDER_BYTES = 4000  # room for an order
READS_MOST = 100  # of an order that is being written


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


def simulated_rail(board: Board, world: World) -> Rail:
    """The rail of a course of events, as ngspice has it."""
    scenario = Scenario("rail", "", world, SCENARIOS[0].checks[:1], "", "", ("RAIL",))
    waves = play(board, scenario).run.waves
    return Rail(waves["time"], waves["RAIL"])


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
        served, whole = 0, self.now_s + len(out) * BYTE_S
        if self.rail.lowest(self.now_s, whole) >= WORKS_V:
            served, self.now_s = len(out), whole
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


class LiveRail(Rail):
    """The rail now: what card and case give, and no more without pulses."""

    def __init__(self, watched: Watched) -> None:
        super().__init__([0.0], [0.0])
        self.watched = watched
        self.course = Rail([0.0], [0.0])
        self.last = float("-inf")  # when the last pulse came, monotonic s
        self.gaps: list[tuple[float, float]] = []  # without a permit, from and to

    def rise(self, second: float) -> None:
        """A pulse of the vault."""
        if second > self.last + HOLD_S:
            self.gaps.append((self.last + HOLD_S, second))
        self.last = second

    def at(self, second: float) -> float:
        """Volts then."""
        return self.lowest(second, second)

    def lowest(self, start: float, end: float) -> float:
        """The lowest volts of a time."""
        dead = [(self.last + HOLD_S, float("inf")), *self.gaps]
        if any(since < end and start < until for since, until in dead):
            return 0.0
        return self.course.lowest(start, end)


class LiveSram(InterlockedSram):
    """The chip of a board at work: its bus takes the time that it takes."""

    def __init__(self, rail: LiveRail) -> None:
        self.live = rail
        super().__init__(rail, time.monotonic())

    def transfer(self, out: bytes) -> bytes:
        """See :class:`SimulatedSram`; what the test says counts at once."""
        order = self.live.watched.order()
        while order.stalled:
            time.sleep(STALL_S)
            order = self.live.watched.order()
        self.live.course = order.course
        now = max(self.now_s, time.monotonic())
        self.wait_until(now)
        if order.in_a_write and out[0] == sram.WRITE and len(out) > CUT_AT:
            self.live.watched.give(order.cut(now + CUT_AT * BYTE_S))
            self.live.course = self.live.watched.order().course
        got = super().transfer(out)
        time.sleep(max(0.0, self.now_s - time.monotonic()))
        return got


class LivePin:
    """The watchdog's pin: each rising edge reaches the board, and the test."""

    def __init__(self, rail: LiveRail) -> None:
        self.rail, self.on, self.count = rail, False, 0

    def write(self, on: bool) -> None:
        """See :class:`doorsill.drivers.gpio.output.Output`."""
        if on and not self.on:
            self.count += 1
            self.rail.rise(time.monotonic())
            self.rail.watched.note(self.count)
        self.on = on

    def read(self) -> bool:
        """See :class:`doorsill.drivers.gpio.output.Output`."""
        return self.on

    def release(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the test says of the world: the rail's course, as card and case give it."""

    course: Rail
    fall: tuple[tuple[float, float], ...] = ()  # s since a cut, and volts
    in_a_write: bool = False  # the cut comes in the middle of the next long write
    stalled: bool = False  # the bus hangs

    def cut(self, second: float) -> Order:
        """The rail falls from ``second`` on, as ``fall`` says."""
        times = [0.0, *(second + each for each, _ in self.fall)]
        return Order(Rail(times, [FULL_V, *(volts for _, volts in self.fall)]))


class Watched:
    """Two small files between the test and the vault's process."""

    def __init__(self, folder: Path) -> None:
        """To be made before the process confines itself."""
        self.folder = folder
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._orders = os.open(folder / "orders", flags)
        self._count = os.open(folder / "pulses", flags)

    def give(self, order: Order) -> None:
        """The world is so from now on."""
        points = list(zip(order.course.times, order.course.volts, strict=True))
        says = [points, order.fall, order.in_a_write, order.stalled]
        text = json.dumps([zlib.crc32(json.dumps(says).encode()), says]).encode()
        assert len(text) <= ORDER_BYTES
        os.pwrite(self._orders, text.ljust(ORDER_BYTES), 0)

    def order(self) -> Order:
        """What was given last; what is being written is read again."""
        for _ in range(READS_MOST):
            with suppress(ValueError):
                check, says = json.loads(os.pread(self._orders, ORDER_BYTES, 0))
                if check == zlib.crc32(json.dumps(says).encode()):
                    break
        points, fall, *how = says
        course = Rail(*(list(each) for each in zip(*points, strict=True)))
        return Order(course, tuple((at, volts) for at, volts in fall), *how)

    def note(self, count: int) -> None:
        """So many pulses came."""
        os.pwrite(self._count, count.to_bytes(8, "little"), 0)

    @property
    def pulses(self) -> int:
        """How many came since the vault's start."""
        return int.from_bytes(os.pread(self._count, 8, 0), "little")

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._orders)
        os.close(self._count)


def put_behind(folder: Path) -> None:
    """Memory and pin of this process are those of the board that ``folder`` is."""
    from doorsill.drivers.gpio import output

    rail = LiveRail(Watched(folder))

    def chip(path: Path) -> LiveSram:
        return LiveSram(rail)

    def pin(name: str, line: str, offset: int) -> LivePin:
        return LivePin(rail)

    sram.SpidevBus = chip  # type: ignore[misc, assignment]
    output.GpiodOutput = pin  # type: ignore[misc, assignment]
