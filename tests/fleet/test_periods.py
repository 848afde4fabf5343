"""Minutes become hours and days of the shop's own clock, and nobody is lost in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from doorsill_fleet.store.periods import (
    Counts,
    Place,
    Start,
    add_up,
    day_in,
    hour_in,
    minute,
)

LISBON = ZoneInfo("Europe/Lisbon")
DOOR = Place("shop-1", "cam-01", "line", 0)
ZONE = Place("shop-1", "cam-01", "zone", 0)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def counts(start: int, into: int | None = 1, visits: int | None = None) -> Counts:
    quality = frozenset({"dark"} if start % 120 else ())
    return Counts(start, start + 60, into, into, visits, visits, 60, 1, 1, 0, quality)


@pytest.mark.parametrize(
    ("period", "moment", "start", "hours"),
    [
        pytest.param(
            hour_in(UTC), "2026-06-01T10:59:00", "2026-06-01T10:00:00", 1, id="an hour"
        ),
        pytest.param(
            hour_in(ZoneInfo("Asia/Kathmandu")),
            "2026-06-01T10:10:00",
            "2026-06-01T09:15:00",
            1,
            id="an hour that begins at a quarter past in UTC",
        ),
        pytest.param(
            day_in(LISBON), "2026-06-01T23:30:00", "2026-06-01T23:00:00", 24, id="a day"
        ),
        pytest.param(
            day_in(LISBON),
            "2026-03-29T12:00:00",
            "2026-03-29T00:00:00",
            23,
            id="spring",
        ),
        pytest.param(
            day_in(LISBON),
            "2026-10-25T12:00:00",
            "2026-10-24T23:00:00",
            25,
            id="autumn",
        ),
    ],
)
def test_a_period_begins_and_ends_by_the_shops_clock(
    period: Start, moment: str, start: str, hours: int
) -> None:
    assert period(at(moment)) == (at(start), at(start) + 3600 * hours)


@pytest.mark.parametrize("period", [minute, hour_in(LISBON), day_in(LISBON)])
def test_everybody_is_in_one_period_also_where_an_hour_comes_twice(
    period: Callable[[int], tuple[int, int]],
) -> None:
    first = at("2026-10-24T20:00:00")
    minutes = [(DOOR, counts(first + 60 * n)) for n in range(60 * 30)]
    found = [each for _, each in add_up(minutes, period)]
    assert sum(each.count_in or 0 for each in found) == 60 * 30
    assert sum(each.windows for each in found) == 60 * 30
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_places_are_apart_and_what_is_not_known_stays_so() -> None:
    minutes = [
        (DOOR, counts(0)),
        (DOOR, counts(60)),
        (ZONE, counts(0, None, 5)),
        (ZONE, counts(60, None, 9)),
    ]
    (door, line), (stay, zone) = add_up(minutes, hour_in(UTC))
    assert (door, stay) == (DOOR, ZONE)
    assert (line.count_in, line.visits, line.occupancy_max) == (2, None, None)
    assert (zone.count_in, zone.visits, zone.occupancy_max) == (None, 14, 9)
    assert line.quality == {"dark"} and line.coverage_s == 120
