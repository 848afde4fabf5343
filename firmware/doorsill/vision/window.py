"""Closes the minute: what was counted in it, how long was looked, and how well.

    UTC   |────── 12:00 ──────|────── 12:01 ──────|
    sent    running, running,  closed   running …          every 2 s, and at the end

Windows begin and end on whole minutes of UTC; the first and the last are shorter. A
crossing is booked in the window in which it is decided, ``line.DECIDED_WITHIN_S``
after it happened at the latest, so what was sent is never taken back. Where UTC steps
against the monotonic clock, the window ends there and then, and both sides of the step
say so. The uplink adds the pieces of a minute up. What cannot be seen is missing from
the coverage, and a window that is not covered whole says ``gap``.

What those who came in looked like is added up by ``privacy.threshold`` and handed over
as sums of k crossings or more; a running window holds none of it.

Pure: both clocks are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from doorsill.cells import (
    Age,
    Cell,
    Expression,
    LineCell,
    LooksCell,
    Quality,
    ZoneCell,
)
from doorsill.privacy.floors import K_FLOOR
from doorsill.privacy.threshold import Looks, Pending, add
from doorsill.values import Attributes, Crossing, Direction

WINDOW_S = 60
RUNNING_S = 2.0  # between two accounts of the running window
CLOCK_STEP_S = 1.0  # UTC may be slewed; more than this at once is a step
GAP_S = 1.0  # frames further apart leave a gap
EMPTY_LIMIT = 1440  # windows told as empty after a pause: a day
GOOD = Quality.GOOD
BLIND = Quality.COVERED | Quality.DARK | Quality.CLOSED | Quality.FROZEN


@dataclass(frozen=True, slots=True)
class ZoneTotals:
    """One zone's share of the window so far."""

    visits: int
    dwell_s: int
    occupancy_max: int
    occupancy_mean_milli: int


@dataclass(slots=True)
class _Line:
    """One line in this window, and the looks that are not handed over yet."""

    counts: list[int] = field(default_factory=lambda: [0, 0])
    ages: list[int] = field(default_factory=lambda: [0] * len(Age))
    expressions: list[int] = field(default_factory=lambda: [0] * len(Expression))
    pending: Pending = field(default_factory=Pending)

    def begin(self) -> None:
        self.counts = [0, 0]
        self.ages = [0] * len(Age)
        self.expressions = [0] * len(Expression)

    def looks(self, start: int, end: int) -> Looks:
        return Looks(start, end, tuple(self.ages), tuple(self.expressions))


class WindowKeeper:
    """The running window of all lines and zones of one camera."""

    def __init__(self, lines: int, now: float, utc: float, k: int = K_FLOOR) -> None:
        """``now`` and ``utc``: monotonic and UTC seconds of the same moment.

        ``k`` is the least number of people whose looks are handed over.
        """
        self._lines = [_Line() for _ in range(lines)]
        self._k = k
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
            self._lines[crossing.line].counts[crossing.direction] += 1

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
            return self._step(now, utc, zones)
        self._offset += step
        self._slewed += step
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
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        self._quality |= Quality.CLOCK
        cells = self._cells(self._length(now + self._offset), zones(True), closed=True)
        self._offset = utc - now
        self._begin(utc, Quality.CLOCK)
        return cells

    def _begin(self, utc: float, quality: Quality) -> None:
        self._start = int(utc)
        self._end = (self._start // WINDOW_S + 1) * WINDOW_S
        self._covered = self._slewed = 0.0
        self._quality = quality
        for line in self._lines:
            line.begin()

    def _length(self, utc: float) -> int:
        return min(max(1, round(utc) - self._start), self._end - self._start)

    def _cells(
        self, duration: int, zones: Sequence[ZoneTotals], *, closed: bool
    ) -> list[Cell]:
        coverage = min(round(self._covered_of(duration) * 1000), duration * 1000)
        if coverage + 1000 * GAP_S < duration * 1000:
            self._quality |= Quality.GAP
        cells: list[Cell] = [
            self._line_cell(number, line, duration, closed, coverage)
            for number, line in enumerate(self._lines)
        ]
        cells += [
            self._zone_cell(number, zone, duration, closed, coverage)
            for number, zone in enumerate(zones)
        ]
        return cells + self._looks(duration) if closed else cells

    def _covered_of(self, duration: int) -> float:
        """Covered seconds of UTC: a clock that is slewed stretches them."""
        return self._covered * duration / max(duration - self._slewed, 1.0)

    def _looks(self, duration: int) -> list[Cell]:
        """The sums that this window completes, of k crossings or more."""
        cells: list[Cell] = []
        for number, line in enumerate(self._lines):
            window = line.looks(self._start, self._start + duration)
            line.pending, span = add(line.pending, window, self._k)
            if span is not None:
                cells.append(
                    LooksCell(number, span.start, span.end, span.ages, span.expressions)
                )
        return cells

    def _line_cell(
        self, number: int, line: _Line, duration: int, closed: bool, coverage: int
    ) -> LineCell:
        return LineCell(
            line=number,
            start=self._start,
            duration_s=duration,
            closed=closed,
            count_in=line.counts[Direction.IN],
            count_out=line.counts[Direction.OUT],
            coverage_ms=coverage,
            quality=self._quality,
        )

    def _zone_cell(
        self, number: int, zone: ZoneTotals, duration: int, closed: bool, coverage: int
    ) -> ZoneCell:
        return ZoneCell(
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
