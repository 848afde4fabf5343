"""Who goes through which door in which minute: 431,623 in, and as many out. Pure.

The sums are exact: visitors are shared out over days and doors by the largest
remainder, and each visitor then gets a minute to come and a minute to go. All of it
follows from one seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

VISITORS = 431_623
FIRST, LAST = date(2026, 1, 1), date(2026, 6, 30)
SUNDAY = 6  # of date.weekday(): closed
OPENS_H, CLOSES_H = 10, 20  # UTC
MINUTES = 60 * (CLOSES_H - OPENS_H)  # of a day on which a shop is open
DOORS = (4, 3, 3, 3, 3, 3, 3)  # cameras of each shop: 22
SEED = 431_623
STAY_MOST = 45  # minutes between coming and going
# How busy a day of the week and an hour of the day are.
OF_DAY = (0.9, 0.85, 0.9, 1.0, 1.3, 1.7)
OF_HOUR = (0.5, 0.8, 1.1, 1.2, 0.9, 1.0, 1.2, 1.5, 1.3, 0.5)


@dataclass(frozen=True, slots=True)
class Door:
    """One camera, by its shop and its name there."""

    site: str
    device: str
    number: int  # among all of them, from 0


def doors(count: int = sum(DOORS)) -> list[Door]:
    """The first ``count`` of the 22, one shop after the other in turn."""
    names = [
        (f"shop-{shop}", f"cam-{door:02}")
        for door in range(1, max(DOORS) + 1)
        for shop, of_shop in enumerate(DOORS, 1)
        if door <= of_shop
    ]
    return [Door(*name, number) for number, name in enumerate(names[:count])]


def days(count: int | None = None) -> list[date]:
    """The days on which the shops are open, of the first ``count`` days or of all."""
    whole = (LAST - FIRST).days + 1
    found = (FIRST + timedelta(days=n) for n in range(min(count or whole, whole)))
    return [day for day in found if day.weekday() != SUNDAY]


def share(total: int, weights: Sequence[float]) -> list[int]:
    """``total`` in whole parts as the weights say, by the largest remainder."""
    whole = sum(weights)
    exact = [total * each / whole for each in weights]
    parts = [int(each) for each in exact]
    by_rest = sorted(range(len(parts)), key=lambda n: (parts[n] - exact[n], n))
    for n in by_rest[: total - sum(parts)]:
        parts[n] += 1
    return parts


def visitors() -> dict[tuple[int, date], int]:
    """How many come in by each door on each day of the whole; VISITORS in all."""
    dice = random.Random(SEED)
    popular = [0.5 + dice.random() for _ in doors()]
    keys = [(door.number, day) for door in doors() for day in days()]
    weights = [
        popular[door] * OF_DAY[day.weekday()] * (0.8 + 0.4 * dice.random())
        for door, day in keys
    ]
    return dict(zip(keys, share(VISITORS, weights), strict=True))


def minutes(door: int, day: date, people: int) -> list[tuple[int, int]]:
    """In and out in each minute of the day; all who came have left when it ends."""
    dice = random.Random(f"{SEED}/{door}/{day}")
    came, left = [0] * MINUTES, [0] * MINUTES
    busy = list(accumulate(OF_HOUR[minute // 60] for minute in range(MINUTES)))
    for minute in dice.choices(range(MINUTES), cum_weights=busy, k=people):
        came[minute] += 1
        left[min(minute + dice.randrange(STAY_MOST), MINUTES - 1)] += 1
    return list(zip(came, left, strict=True))


def opening(day: date) -> int:
    """When the shops open on ``day``, UTC s."""
    return int(datetime(day.year, day.month, day.day, OPENS_H, tzinfo=UTC).timestamp())


def expected(
    found: Sequence[Door], open_days: Sequence[date]
) -> Iterator[tuple[Door, int, int, int]]:
    """Every window that has to be in the store: door, start (UTC s), in, out."""
    people = visitors()
    for door in found:
        for day in open_days:
            counted = minutes(door.number, day, people[door.number, day])
            for minute, (came, left) in enumerate(counted):
                yield door, opening(day) + 60 * minute, came, left
