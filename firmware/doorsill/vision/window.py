"""Closes the minute: what was counted in it, how long was looked, and how well.

    UTC   |────── 12:00 ──────|────── 12:01 ──────|
    sent    running, running,  closed   running …          every 2 s, and at the end

Windows begin and end on whole minutes of UTC; the first and the last are shorter. A
crossing is booked in the window in which it is decided, ``line.DECIDED_WITHIN_S``
after it happened at the latest, so what was sent is never taken back. Where UTC steps
against the monotonic clock, the window ends there and then, and both sides of the step
say so; after a step back the totals begin anew under a new epoch, so that no two
windows are taken for one. What cannot be seen is missing from the coverage.

Pure: both clocks are arguments. Attribute counts are whole people of one window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from secrets import randbits

from doorsill.cells import (
    Age,
    Cell,
    Expression,
    LineCell,
    Quality,
    ZoneCell,
)
from doorsill.values import Attributes, Crossing, Direction

WINDOW_S = 60
RUNNING_S = 2.0  # between two accounts of the running window
CLOCK_STEP_S = 1.0  # UTC may be slewed; more than this at once is a step
GAP_S = 1.0  # frames further apart leave a gap
EMPTY_LIMIT = 1440  # windows told as empty after a pause: a day
GOOD = Quality.GOOD
BLIND = Quality.COVERED | Quality.DARK | Quality.CLOSED | Quality.FROZEN


def random_epoch() -> int:
    """32 bits; nobody learns from it how often a device was started."""
    return randbits(32)


@dataclass(frozen=True, slots=True)
class ZoneTotals:
    """One zone's share of the window so far."""

    visits: int
    dwell_s: int
    occupancy_max: int
    occupancy_mean_milli: int


@dataclass(slots=True)
class _Line:
    """One line: this window, and since the epoch began."""

    counts: list[int] = field(default_factory=lambda: [0, 0])
    totals: list[int] = field(default_factory=lambda: [0, 0])
    ages: list[int] = field(default_factory=lambda: [0] * len(Age))
    expressions: list[int] = field(default_factory=lambda: [0] * len(Expression))

    def begin(self) -> None:
        self.counts = [0, 0]
        self.ages = [0] * len(Age)
        self.expressions = [0] * len(Expression)


class WindowKeeper:
    """The running window of all lines and zones of one camera."""

    def __init__(
        self,
        lines: int,
        now: float,
        utc: float,
        new_epoch: Callable[[], int] = random_epoch,
    ) -> None:
        """``now`` and ``utc``: monotonic and UTC seconds of the same moment."""
        self._lines = [_Line() for _ in range(lines)]
        self._new_epoch = new_epoch
        self.epoch = new_epoch()
        self._offset = utc - now
        self._told = now
        self._frame: float | None = None  # time of the last frame
        self._begin(utc, Quality.GOOD)

    def frame(self, now: float, quality: Quality) -> None:
        """A frame was looked at, ``now`` being its time; what it was worth."""
        since = 0.0 if self._frame is None else now - self._frame
        self._frame = now
        good = quality is GOOD  # nearly always, and flags are slow to join
        if not good:
            self._quality |= quality
        if since > GAP_S:
            self._quality |= Quality.GAP
        elif since > 0 and (good or not quality & BLIND):
            self._covered += since

    def crossed(self, crossings: Iterable[Crossing]) -> None:
        """Book what was decided."""
        for crossing in crossings:
            line = self._lines[crossing.line]
            line.counts[crossing.direction] += 1
            line.totals[crossing.direction] += 1

    def looked(self, crossing: Crossing, attributes: Attributes) -> None:
        """Book what somebody who came in looked like, coarsely."""
        if crossing.direction is Direction.IN:
            line = self._lines[crossing.line]
            line.ages[attributes.age] += 1
            line.expressions[attributes.expression] += 1

    def tick(
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        """What is to be sent at this moment: closed windows, or the running one.

        ``zones(closing)`` gives each zone's totals; with ``closing`` they begin anew.
        """
        step = (utc - now) - self._offset
        if abs(step) > CLOCK_STEP_S:
            return self._step(now, utc, step, zones)
        self._offset += step
        if utc >= self._end:
            return self._over(now, utc, zones)
        if now - self._told < RUNNING_S:
            return []
        self._told = now
        return self._cells(int(utc) - self._start, zones(False), closed=False)

    def close(
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        """The process stops: the window ends here, and the rest of it is a gap."""
        end = now + self._offset
        self._quality |= Quality.GAP
        return self._cells(self._length(end), zones(True), closed=True)

    def _over(
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        missed = int((utc - self._end) // WINDOW_S)
        cells = self._cells(self._end - self._start, zones(True), closed=True)
        for _ in range(min(missed, EMPTY_LIMIT)):
            self._begin(self._end, Quality.GAP)
            cells += self._cells(WINDOW_S, zones(True), closed=True)
        self._begin(utc if missed > EMPTY_LIMIT else self._end, Quality.GOOD)
        self._told = now
        return cells

    def _step(
        self,
        now: float,
        utc: float,
        step: float,
        zones: Callable[[bool], Sequence[ZoneTotals]],
    ) -> list[Cell]:
        self._quality |= Quality.CLOCK
        cells = self._cells(self._length(now + self._offset), zones(True), closed=True)
        if step < 0:
            self.epoch = self._new_epoch()
            self._lines = [_Line() for _ in self._lines]
        self._offset = utc - now
        self._begin(utc, Quality.CLOCK)
        return cells

    def _begin(self, utc: float, quality: Quality) -> None:
        self._start = int(utc)
        self._end = (self._start // WINDOW_S + 1) * WINDOW_S
        self._covered = 0.0
        self._quality = quality
        for line in self._lines:
            line.begin()

    def _length(self, utc: float) -> int:
        return min(max(1, round(utc) - self._start), self._end - self._start)

    def _cells(
        self, duration: int, zones: Sequence[ZoneTotals], *, closed: bool
    ) -> list[Cell]:
        coverage = min(round(self._covered * 1000), duration * 1000)
        cells: list[Cell] = [
            self._line_cell(number, line, duration, closed, coverage)
            for number, line in enumerate(self._lines)
        ]
        cells += [
            self._zone_cell(number, zone, duration, closed, coverage)
            for number, zone in enumerate(zones)
        ]
        return cells

    def _line_cell(
        self, number: int, line: _Line, duration: int, closed: bool, coverage: int
    ) -> LineCell:
        return LineCell(
            epoch=self.epoch,
            line=number,
            start=self._start,
            duration_s=duration,
            closed=closed,
            count_in=line.counts[Direction.IN],
            count_out=line.counts[Direction.OUT],
            total_in=line.totals[Direction.IN],
            total_out=line.totals[Direction.OUT],
            coverage_ms=coverage,
            quality=self._quality,
            ages=tuple(line.ages),
            expressions=tuple(line.expressions),
        )

    def _zone_cell(
        self, number: int, zone: ZoneTotals, duration: int, closed: bool, coverage: int
    ) -> ZoneCell:
        return ZoneCell(
            epoch=self.epoch,
            zone=number,
            start=self._start,
            duration_s=duration,
            closed=closed,
            visits=zone.visits,
            dwell_s=zone.dwell_s,
            occupancy_max=zone.occupancy_max,
            occupancy_mean_milli=zone.occupancy_mean_milli,
            coverage_ms=coverage,
            quality=self._quality,
        )
