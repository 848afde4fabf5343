"""What vision may say of one piece of one minute, and how pieces are added up. Pure.

Vision processes pictures, so it is the process that an attacker could take over. The
uplink accepts only small counts from it, for places that the policy has, and none above
what people can do on foot. ``capacity.py`` computes from these bounds how much could be
hidden in the counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from doorsill.cells import (
    CROSSINGS_MOST,
    MINUTE_S,
    PEOPLE_MOST,
    STAY_MOST_S,
    HealthCell,
    LineCell,
    LooksCell,
    Picture,
    Quality,
    ZoneCell,
)
from doorsill.errors import UntrustedError
from doorsill.privacy.floors import SLOT_S

EVERY_QUALITY = int(sum(Quality))  # all flags
OURS = int(Quality.GAP | Quality.FAULT)  # flags that the uplink sets, never vision

Window = LineCell | ZoneCell


@dataclass(frozen=True, slots=True)
class LineSums:
    """What was counted over one line in a minute so far."""

    count_in: int = 0
    count_out: int = 0
    coverage_ms: int = 0  # how long the line was observed
    quality: int = 0  # the flags of cells.Quality

    def plus(self, other: Self) -> LineSums:
        """Both together, within the bounds of one minute."""
        count_in = min(self.count_in + other.count_in, CROSSINGS_MOST)
        room = CROSSINGS_MOST - count_in
        return LineSums(
            count_in,
            min(self.count_out + other.count_out, room),
            _covered(self.coverage_ms + other.coverage_ms),
            self.quality | other.quality,
        )

    def minus(self, other: Self) -> LineSums:
        """What is new in this since ``other``, an earlier account of the same piece."""
        return LineSums(
            max(0, self.count_in - other.count_in),
            max(0, self.count_out - other.count_out),
            max(0, self.coverage_ms - other.coverage_ms),
            self.quality,
        )

    @property
    def counts(self) -> tuple[int, ...]:
        """What must not be lost in a power cut; coverage alone is not worth a write."""
        return self.count_in, self.count_out


@dataclass(frozen=True, slots=True)
class ZoneSums:
    """What was counted in one zone in a minute so far."""

    visits: int = 0
    dwell_s: int = 0  # sum over the visits
    occupancy_max: int = 0  # people at once
    presence_ms: int = 0  # people times milliseconds
    coverage_ms: int = 0  # how long the zone was observed
    quality: int = 0  # the flags of cells.Quality

    def plus(self, other: Self) -> ZoneSums:
        """Both together, within the bounds of one minute."""
        return ZoneSums(
            min(self.visits + other.visits, CROSSINGS_MOST),
            min(self.dwell_s + other.dwell_s, STAY_MOST_S),
            max(self.occupancy_max, other.occupancy_max),
            self.presence_ms + other.presence_ms,
            _covered(self.coverage_ms + other.coverage_ms),
            self.quality | other.quality,
        )

    def minus(self, other: Self) -> ZoneSums:
        """What is new in this since ``other``, an earlier account of the same piece."""
        return ZoneSums(
            max(0, self.visits - other.visits),
            max(0, self.dwell_s - other.dwell_s),
            self.occupancy_max,
            max(0, self.presence_ms - other.presence_ms),
            max(0, self.coverage_ms - other.coverage_ms),
            self.quality,
        )

    @property
    def counts(self) -> tuple[int, ...]:
        """What must not be lost in a power cut; coverage alone is not worth a write."""
        return self.visits, self.occupancy_max


Sums = LineSums | ZoneSums


@dataclass(frozen=True, slots=True)
class Running:
    """The last report of a piece that vision has not closed."""

    run: int  # of vision
    start: int  # UTC s
    sums: Sums

    def is_of(self, run: int, start: int) -> bool:
        """Whether it is of the piece that began then, in that run of vision."""
        return (self.run, self.start) == (run, start)


@dataclass(frozen=True, slots=True)
class Places:
    """The lines and the counted zones of the policy, by their numbers."""

    lines: int
    zones: int

    @property
    def names(self) -> tuple[str, ...]:
        """``line-0``, ``zone-0`` and so on, in the order in which windows are sent."""
        lines = tuple(f"line-{number}" for number in range(self.lines))
        return lines + tuple(f"zone-{number}" for number in range(self.zones))


def place_of(cell: Window) -> str:
    """The name of the place that ``cell`` is of: ``line-0``, ``zone-3``."""
    if isinstance(cell, LineCell):
        return f"line-{cell.line}"
    return f"zone-{cell.zone}"


def nothing_at(place: str) -> Sums:
    """No count and no coverage."""
    return LineSums() if place.startswith("line") else ZoneSums()


def counts_only(sums: Sums, quality: Quality) -> Sums:
    """``sums`` for another minute than its own: the counts, but no covered time."""
    flags = sums.quality | int(quality)
    if isinstance(sums, LineSums):
        return replace(sums, coverage_ms=0, quality=flags)
    return replace(sums, coverage_ms=0, presence_ms=0, quality=flags)


def minute_of(time: float) -> int:
    """The start of the whole minute of UTC that ``time`` is in."""
    return int(time) // MINUTE_S * MINUTE_S


def sums_of(cell: Window, places: Places) -> Sums:
    """What ``cell`` counts; UntrustedError if no door could have made it.

    The messages hold no number from vision, because they go to a log.
    """
    if place_of(cell) not in places.names:
        raise UntrustedError("a cell is of a place that the policy does not have")
    end, minute = cell.start + cell.duration_s, minute_of(cell.start)
    if cell.start < 0 or end > minute + MINUTE_S or cell.closed > cell.duration_s:
        raise UntrustedError("a cell is not of one piece of one minute")
    if cell.coverage_ms > 1000 * cell.duration_s or cell.quality & ~EVERY_QUALITY:
        raise UntrustedError("a cell covers more than its time, or has no such flag")
    if isinstance(cell, LineCell):
        return _line(cell)
    return _zone(cell)


def check_looks(cell: LooksCell, places: Places) -> LooksCell:
    """``cell``; UntrustedError if its line or its slots cannot be right."""
    if cell.line >= places.lines:
        raise UntrustedError("looks are of a line that the policy does not have")
    if not 0 <= cell.start < cell.end or cell.start % SLOT_S or cell.end % SLOT_S:
        raise UntrustedError("looks are not of whole slots")
    return cell


def check_health(cell: HealthCell) -> HealthCell:
    """``cell`` if its word for the picture is known; else UntrustedError."""
    if cell.picture not in set(Picture):
        raise UntrustedError("health has a word for the picture that is none")
    return cell


def _line(cell: LineCell) -> LineSums:
    if cell.count_in + cell.count_out > CROSSINGS_MOST:
        raise UntrustedError("a cell counts more than feet can do")
    return LineSums(
        cell.count_in, cell.count_out, cell.coverage_ms, int(cell.quality) & ~OURS
    )


def _zone(cell: ZoneCell) -> ZoneSums:
    if (
        cell.visits > CROSSINGS_MOST
        or cell.occupancy_max > PEOPLE_MOST
        or cell.occupancy_mean_milli > 1000 * cell.occupancy_max
    ):
        raise UntrustedError("a cell counts more than feet can do")
    return ZoneSums(
        cell.visits,
        min(cell.dwell_s, STAY_MOST_S),
        cell.occupancy_max,
        cell.occupancy_mean_milli * cell.coverage_ms // 1000,
        cell.coverage_ms,
        int(cell.quality) & ~OURS,
    )


def _covered(coverage_ms: int) -> int:
    return min(coverage_ms, 1000 * MINUTE_S)
