"""Closes the minute: what was counted in it, how long the camera saw, and how well.

    UTC   |────── 12:00 ──────|────── 12:01 ──────|
    sent    running, running,  closed   running …          every 2 s, and at the end

Windows begin and end on whole minutes of UTC; the first and the last are shorter. A
crossing is booked in the window in which it is decided, ``line.DECIDED_WITHIN_S``
after it happened at the latest, so what was sent is never taken back. Where UTC steps
against the monotonic clock, the window ends there and then, and both sides of the step
say so. The uplink adds the pieces of a minute up. What cannot be seen is missing from
the coverage, and a window that is not covered whole says ``gap``.

What those who came in looked like (their attributes) is added up by
``privacy.threshold`` and handed over as sums of k crossings or more; a running window
holds none of it.

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
from doorsill.privacy.threshold import Histogram, Pending, add
from doorsill.values import Attributes, Crossing, Direction

WINDOW_S = 60  # length of a window
RUNNING_S = 2.0  # between two reports of the running window
CLOCK_STEP_S = 1.0  # a smaller change of UTC is slewing, a larger one is a step
GAP_S = 1.0  # frames that are further apart leave a gap
EMPTY_LIMIT = 1440  # windows reported as empty after a pause, at most: those of a day
GOOD = Quality.GOOD  # looked up once: it is compared in every frame
BLIND = Quality.COVERED | Quality.DARK | Quality.CLOSED | Quality.FROZEN  # not covered


@dataclass(frozen=True, slots=True)
class ZoneTotals:
    """One zone's share of the window so far."""

    visits: int  # people who left the zone
    dwell_s: int  # length of their stays, summed
    occupancy_max: int  # people at once, at most
    occupancy_mean_milli: int  # thousandths of a person


@dataclass(slots=True)
class _Line:
    """One line in this window, and the attributes that are not handed over yet."""

    counts: list[int] = field(default_factory=lambda: [0, 0])
    ages: list[int] = field(default_factory=lambda: [0] * len(Age))
    expressions: list[int] = field(default_factory=lambda: [0] * len(Expression))
    pending: Pending = field(default_factory=Pending)

    def begin(self) -> None:
        self.counts = [0, 0]
        self.ages = [0] * len(Age)
        self.expressions = [0] * len(Expression)

    def histogram(self, start: int, end: int) -> Histogram:
        return Histogram(start, end, tuple(self.ages), tuple(self.expressions))


class WindowKeeper:
    """The running window of all lines and zones of one camera."""

    def __init__(self, lines: int, now: float, utc: float, k: int = K_FLOOR) -> None:
        """``now`` and ``utc``: monotonic and UTC seconds of the same moment.

        ``k`` is the least number of people in a sum of attributes that is handed over.
        """
        self._lines = [_Line() for _ in range(lines)]
        self._k = k
        self._offset = utc - now
        self._reported = now
        self._frame: float | None = None  # time of the last frame, monotonic s
        self._begin(utc, Quality.GOOD)

    def take_frame(self, now: float, quality: Quality) -> None:
        """Add a frame of the time ``now`` (monotonic s) and its quality."""
        since = 0.0 if self._frame is None else now - self._frame
        self._frame = now
        good = quality is GOOD  # nearly always; this saves joining flags, which is slow
        if not good:
            self._quality |= quality
        if since > GAP_S:
            self._quality |= Quality.GAP
        elif since > 0 and (good or not quality & BLIND):
            self._covered += since

    def book(self, crossings: Iterable[Crossing]) -> None:
        """Add the crossings that were decided just now."""
        for crossing in crossings:
            self._lines[crossing.line].counts[crossing.direction] += 1

    def book_attributes(self, crossing: Crossing, attributes: Attributes) -> None:
        """Add the attributes of a person who crossed; only those who came in count."""
        if crossing.direction is Direction.IN:
            line = self._lines[crossing.line]
            line.ages[attributes.age] += 1
            line.expressions[attributes.expression] += 1

    def tick(
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        """What is to be sent at this moment: closed windows, or the running one.

        ``now`` and ``utc`` are as in the constructor. ``zones(closing)`` gives each
        zone's totals; after it was called with ``closing`` they begin again at 0.
        """
        step = (utc - now) - self._offset
        if abs(step) > CLOCK_STEP_S:
            return self._step(now, utc, zones)
        self._offset += step
        self._slewed += step
        if utc >= self._end:
            return self._finish(now, utc, zones)
        if now - self._reported < RUNNING_S:
            return []
        self._reported = now
        return self._cells(int(utc) - self._start, zones(False), closed=False)

    def close(
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        """End the window because the process stops; the rest of it is a gap."""
        end = now + self._offset
        self._quality |= Quality.GAP
        return self._cells(self._length(end), zones(True), closed=True)

    def _finish(
        self, now: float, utc: float, zones: Callable[[bool], Sequence[ZoneTotals]]
    ) -> list[Cell]:
        missed = int((utc - self._end) // WINDOW_S)
        cells = self._cells(self._end - self._start, zones(True), closed=True)
        for _ in range(min(missed, EMPTY_LIMIT)):
            self._begin(self._end, Quality.GAP)
            cells += self._cells(WINDOW_S, zones(True), closed=True)
        self._begin(utc if missed > EMPTY_LIMIT else self._end, Quality.GOOD)
        self._reported = now
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
        return cells + self._sums(duration) if closed else cells

    def _covered_of(self, duration: int) -> float:
        """Covered seconds of UTC, which are longer or shorter while UTC is slewed."""
        return self._covered * duration / max(duration - self._slewed, 1.0)

    def _sums(self, duration: int) -> list[Cell]:
        """The sums of attributes that this window completes, of k crossings or more."""
        cells: list[Cell] = []
        for number, line in enumerate(self._lines):
            window = line.histogram(self._start, self._start + duration)
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
