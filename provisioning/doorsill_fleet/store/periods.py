"""Add minutes up into hours or days of a shop's own clock; pure.

A day begins at the shop's midnight, also where the clocks go forward or back: it then
has 23 or 25 hours. An hour that comes twice in autumn is two hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby

from doorsill.cells import MINUTE_S

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Place:
    """One line or zone of one camera."""

    site: str
    device: str
    kind: str  # line or zone
    place: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What one place counted from ``start`` to ``end`` (UTC s)."""

    start: int
    end: int
    count_in: int | None  # of a line
    count_out: int | None
    visits: int | None  # of a zone
    occupancy_max: int | None  # the most of its minutes that report one
    coverage_s: int  # in which the camera observed
    windows: int  # minutes that were received
    historical: int  # of them, those that came late
    doubted: int  # of them, those that cannot be of this time
    quality: frozenset[str]


Start = Callable[[int], tuple[int, int]]  # start and end of the period of a moment


def minute(moment: int) -> tuple[int, int]:
    """The minute of ``moment`` (UTC s)."""
    start = moment - moment % MINUTE_S
    return start, start + MINUTE_S


def hour_in(zone: tzinfo) -> Start:
    """Gives the hour of a moment by the clock of ``zone``."""

    def hour(moment: int) -> tuple[int, int]:
        local = datetime.fromtimestamp(moment, zone)
        start = moment - local.minute * 60 - local.second
        return start, start + HOUR_S

    return hour


def day_in(zone: tzinfo) -> Start:
    """Gives the day of a moment by the calendar of ``zone``."""

    def day(moment: int) -> tuple[int, int]:
        local = datetime.fromtimestamp(moment, zone)
        midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
        following = midnight.replace(tzinfo=None) + timedelta(days=1)
        return int(midnight.timestamp()), int(
            following.replace(tzinfo=zone).timestamp()
        )

    return day


def add_up(
    minutes: Iterable[tuple[Place, Counts]], period: Start
) -> Iterator[tuple[Place, Counts]]:
    """Sums for each place and period; ``minutes`` come by place, and then by start."""

    def key(each: tuple[Place, Counts]) -> tuple[Place, tuple[int, int]]:
        return each[0], period(each[1].start)

    for (place, (start, end)), group in groupby(minutes, key):
        yield place, _sum(start, end, [counts for _, counts in group])


def _sum(start: int, end: int, parts: list[Counts]) -> Counts:
    return Counts(
        start,
        end,
        _total(each.count_in for each in parts),
        _total(each.count_out for each in parts),
        _total(each.visits for each in parts),
        max(
            (n for n in (p.occupancy_max for p in parts) if n is not None), default=None
        ),
        sum(each.coverage_s for each in parts),
        sum(each.windows for each in parts),
        sum(each.historical for each in parts),
        sum(each.doubted for each in parts),
        frozenset().union(*(each.quality for each in parts)),
    )


def _total(values: Iterable[int | None]) -> int | None:
    known = _known(values)
    return sum(known) if known else None


def _known(values: Iterable[int | None]) -> list[int]:
    return [each for each in values if each is not None]
