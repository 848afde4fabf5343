"""A day's epsilon is spent once, through every step of the clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.privacy.budget import (
    CEILING_MICRO,
    Ledger,
    day_of,
    report_cost,
    spend,
)
from doorsill.privacy.floors import CROSSINGS_OF_ONE, REPORTS_PER_DAY
from doorsill.privacy.noise import MICRO

DAILY = 1_000_000


@pytest.mark.parametrize(
    ("ledger", "day", "cost", "after"),
    [
        pytest.param(Ledger(5, 0), 5, 400_000, Ledger(5, 400_000), id="first report"),
        pytest.param(
            Ledger(5, 600_000), 5, 400_000, Ledger(5, DAILY), id="to the last bit"
        ),
        pytest.param(Ledger(5, 600_001), 5, 400_000, None, id="a millionth too much"),
        pytest.param(Ledger(5, DAILY), 6, 1, Ledger(6, 1), id="a new day refills"),
        pytest.param(Ledger(5, DAILY), 4, 1, None, id="a clock set back does not"),
        pytest.param(
            Ledger(5, 10), 4, 5, Ledger(5, 15), id="set back, the later day goes on"
        ),
    ],
)
def test_spend(ledger: Ledger, day: int, cost: int, after: Ledger | None) -> None:
    assert spend(ledger, day, cost, DAILY) == after


def test_the_cheapest_report_costs_one_millionth() -> None:
    assert report_cost(1, 1) == 1


def test_a_budget_above_the_ceiling_is_the_ceiling() -> None:
    assert spend(Ledger(1, CEILING_MICRO), 1, 1, 10**9) is None
    assert report_cost(10**9, 1) == report_cost(CEILING_MICRO, 1) == 50_000


@pytest.mark.parametrize("cost", [0, -1])
def test_a_report_is_never_free(cost: int) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        spend(Ledger(0, 0), 0, cost, DAILY)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 400_000)), max_size=60),
    st.integers(1, CEILING_MICRO),
)
def test_no_day_ever_spends_more_than_its_budget(
    requests: list[tuple[int, int]], daily: int
) -> None:
    ledger, granted = Ledger(0, 0), dict.fromkeys(range(7), 0)
    for day, cost in requests:
        after = spend(ledger, day, cost, daily)
        if after is not None:
            assert after.day >= ledger.day
            granted[after.day] += cost
            ledger = after
    assert max(granted.values()) <= daily


@given(st.integers(1, CEILING_MICRO), st.integers(1, 8))
def test_a_day_that_goes_by_the_clock_never_runs_out(daily: int, lines: int) -> None:
    cost = report_cost(daily, lines)
    reports = REPORTS_PER_DAY * lines
    assert cost * reports <= daily or daily < reports


@given(st.integers(MICRO, CEILING_MICRO), st.integers(1, 8), st.data())
def test_the_day_of_one_who_crosses_often_costs_no_more_than_the_day(
    daily: int, lines: int, data: st.DataObject
) -> None:
    """However the crossings are spread over the reports: each is in one of them."""
    cost = report_cost(daily, lines)
    reports = st.lists(st.integers(0, 12), max_size=REPORTS_PER_DAY * lines)
    crossings = data.draw(reports.filter(lambda each: sum(each) <= CROSSINGS_OF_ONE))
    assert sum(each * cost for each in crossings) <= daily


def test_negative_control_one_crossing_more_may_cost_more() -> None:
    assert report_cost(CEILING_MICRO, 1) * (CROSSINGS_OF_ONE + 1) > CEILING_MICRO


def test_a_day_is_a_utc_day() -> None:
    assert day_of(86_399) == 0
    assert day_of(86_400) == 1
