"""431,623 in and as many out: exact, the same at every run, in open hours alone."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from replay.plan import (
    DOORS,
    MINUTES,
    SUNDAY,
    VISITORS,
    days,
    doors,
    expected,
    minutes,
    opening,
    share,
    visitors,
)
from replay.story import is_away, stolen, stolen_after

from doorsill.cells import CROSSINGS_MOST


def test_the_sums_are_those_of_the_case() -> None:
    people = visitors()
    assert sum(people.values()) == VISITORS == 431_623
    assert len(people) == sum(DOORS) * len(days()) == 22 * 155
    assert min(people.values()) > 0
    assert people == visitors()


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        pytest.param(10, [1, 1, 1], [4, 3, 3], id="what is left goes to the first"),
        pytest.param(7, [2, 1, 1], [3, 2, 2], id="the largest remainder first"),
        pytest.param(2, [0.1, 0.1, 99.8], [0, 0, 2], id="a small part gets nothing"),
        pytest.param(0, [1, 2], [0, 0], id="nobody"),
    ],
)
def test_people_are_shared_out_whole(
    total: int, weights: list[float], parts: list[int]
) -> None:
    assert share(total, weights) == parts


def test_a_day_of_a_door_is_exact_and_possible() -> None:
    for door, day in ((0, date(2026, 1, 2)), (21, date(2026, 6, 30))):
        people = visitors()[door, day]
        counted = minutes(door, day, people)
        assert len(counted) == MINUTES
        assert sum(came for came, _ in counted) == people
        assert sum(left for _, left in counted) == people
        assert max(came + left for came, left in counted) <= CROSSINGS_MOST
        assert counted == minutes(door, day, people)
        inside = 0
        for came, left in counted:
            inside += came - left
            assert inside >= 0  # nobody leaves who has not come


def test_shops_are_closed_on_sundays() -> None:
    assert all(day.weekday() != SUNDAY for day in days())
    assert (days()[0], days()[-1]) == (date(2026, 1, 1), date(2026, 6, 30))
    assert days(7) == days()[:6]
    assert opening(date(2026, 1, 1)) == 1_767_261_600  # 10:00 UTC


def test_seven_shops_have_twenty_two_doors() -> None:
    found = Counter(each.site for each in doors())
    assert sorted(found.values(), reverse=True) == list(DOORS)
    assert [each.number for each in doors()] == list(range(22))
    assert len({(each.site, each.device) for each in doors()}) == 22
    assert [each.site for each in doors(3)] == ["shop-1", "shop-2", "shop-3"]


def test_every_window_is_planned_once() -> None:
    found = list(expected(doors(2), days(3)))
    keys = {(door.number, start) for door, start, _, _ in found}
    assert len(found) == len(keys) == 2 * 3 * MINUTES


@pytest.mark.parametrize("of", [1, 2, 6, 155])
def test_each_outage_ends_before_the_last_day(of: int) -> None:
    away = {
        door.number: [day for day in range(of) if is_away(door, day, of)]
        for door in doors()
    }
    assert all(of - 1 not in each for each in away.values())
    assert any(away.values()) == (of > 1)
    assert any(not each for each in away.values())


def test_a_camera_of_many_is_stolen_on_the_way() -> None:
    assert stolen(doors(1)) is None
    assert stolen(doors()) == doors()[-1]
    assert 0 < stolen_after(155) < 155
