"""A shop is open by the wall clock of its own place, and not on its holidays."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from policies import BODY, changed

from doorsill.policy.document import parse
from doorsill.policy.hours import is_open

CURRENT = parse(BODY)


def at(text: str, timezone: str = "Europe/Lisbon") -> float:
    local = datetime.datetime.fromisoformat(text)
    return local.replace(tzinfo=ZoneInfo(timezone)).timestamp()


HOURS = [
    ("monday at nine", "2026-06-01T09:00", True),
    ("a minute before", "2026-06-01T08:59", False),
    ("the last minute", "2026-06-01T19:59", True),
    ("at closing", "2026-06-01T20:00", False),
    ("half an hour after opening", "2026-06-01T09:30", True),
    ("half an hour after closing", "2026-06-01T20:30", False),
    ("a wednesday", "2026-06-03T12:00", False),
    ("sunday at eleven at night", "2026-06-07T23:00", True),
    ("past midnight, still sunday's hours", "2026-06-08T01:59", True),
    ("past midnight, over", "2026-06-08T02:00", False),
    ("past midnight of saturday", "2026-06-07T01:00", False),
    ("winter time, monday at nine", "2026-01-05T09:00", True),
]


@pytest.mark.parametrize(
    ("local", "expected"), [h[1:] for h in HOURS], ids=[h[0] for h in HOURS]
)
def test_opening_hours_are_the_wall_clocks(local: str, expected: bool) -> None:
    assert is_open(CURRENT, at(local)) is expected


HOLIDAYS = [
    ("a thursday that is none otherwise", "2026-12-24T10:00", True),
    ("before its own hours", "2026-12-24T09:59", False),
    ("at its own closing", "2026-12-24T13:00", False),
    ("a closed day, a friday", "2026-12-25T12:00", False),
    ("the same thursday a week on", "2026-12-31T10:00", False),
    ("the saturday after it", "2026-12-26T12:00", True),
]


@pytest.mark.parametrize(
    ("local", "expected"), [h[1:] for h in HOLIDAYS], ids=[h[0] for h in HOLIDAYS]
)
def test_a_holiday_has_its_own_hours_or_none(local: str, expected: bool) -> None:
    assert is_open(CURRENT, at(local)) is expected


def test_a_shop_that_is_always_open_closes_on_its_holidays() -> None:
    found = parse(changed(hours=..., holidays=[{"date": "2026-12-25"}]))
    assert is_open(found, at("2026-12-24T23:59"))
    assert not is_open(found, at("2026-12-25T00:00"))
    assert not is_open(found, at("2026-12-25T23:59"))
    assert is_open(found, at("2026-12-26T00:00"))


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    """Sunday from 22 to 2; then a monday, and a sunday, that are closed."""
    monday = parse(changed(holidays=[{"date": "2026-06-08"}]))
    assert is_open(monday, at("2026-06-08T01:59"))
    assert not is_open(monday, at("2026-06-08T09:00"))
    sunday = parse(changed(holidays=[{"date": "2026-06-07"}]))
    assert not is_open(sunday, at("2026-06-08T01:59"))


def test_a_holiday_in_the_hour_that_comes_twice() -> None:
    """Lisbon sets its clock back on 2026-10-25, a sunday, at 2: both hours are open."""
    body = changed(
        hours=...,
        holidays=[{"date": "2026-10-25", "opens": "01:00", "closes": "02:00"}],
    )
    found = parse(body)
    half_past = datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC)
    first = half_past.timestamp()  # 01:30 of summer time
    assert is_open(found, first) and is_open(found, first + 3600)
    assert not is_open(found, first + 7200)


def test_nine_oclock_is_another_utc_in_summer_than_in_winter() -> None:
    assert at("2026-06-01T09:00") % 86400 == 8 * 3600
    assert at("2026-01-05T09:00") % 86400 == 9 * 3600


def test_open_until_24_00_and_without_hours_always() -> None:
    late = [{"days": ["mon"], "opens": "00:00", "closes": "24:00"}]
    found = parse(changed(hours=late))
    assert is_open(found, at("2026-06-01T23:59"))
    assert not is_open(found, at("2026-06-02T00:00"))
    assert is_open(parse(changed(hours=[])), 0.0)
