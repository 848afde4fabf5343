"""No report, and no difference of reports, speaks of fewer than k people."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.privacy import floors
from doorsill.privacy.floors import DAY_S, K_FLOOR, SLOT_S
from doorsill.privacy.threshold import Looks, Pending, add, least

K = 10


def window(start: int, looked: int, came_in: int | None = None) -> Looks:
    """One minute in which ``looked`` adults were seen to come in."""
    came_in = looked if came_in is None else came_in
    return Looks(start, start + 60, came_in, (0, 0, looked, 0, 0), (looked, 0, 0))


def run(windows: list[Looks], k: int = K) -> list[Looks]:
    pending, spans = Pending(), []
    for each in windows:
        pending, span = add(pending, each, k)
        if span is not None:
            spans.append(span)
    return spans


@pytest.mark.parametrize(
    ("windows", "published"),
    [
        pytest.param([(0, 9), (SLOT_S, 0)], [], id="nine people are not told"),
        pytest.param(
            [(0, 10), (SLOT_S, 0)], [(0, 60, 10)], id="ten are, when their slot is over"
        ),
        pytest.param([(0, 500), (60, 500)], [], id="not before their slot is over"),
        pytest.param(
            [(0, 4), (SLOT_S, 3), (2 * SLOT_S, 31), (3 * SLOT_S, 0)],
            [(0, 2 * SLOT_S + 60, 38)],
            id="small slots are merged with later ones",
        ),
        pytest.param(
            [(0, 10), (SLOT_S, 9), (DAY_S, 0)],
            [(0, 60, 10)],
            id="a rest below k at the end of the day is forgotten",
        ),
        pytest.param(
            [(DAY_S - 60, 9), (DAY_S, 9), (DAY_S + SLOT_S, 0)],
            [],
            id="a day does not borrow from the day before",
        ),
        pytest.param(
            [(DAY_S - 60, 12), (DAY_S, 9), (DAY_S + SLOT_S, 0)],
            [(DAY_S - 60, DAY_S, 12)],
            id="the last slot of a day is told on the next",
        ),
        pytest.param(
            [(3600, 10), (0, 50), (60, 50), (SLOT_S, 0)],
            [(3600, 3660, 10)],
            id="a clock set back adds nobody to a span",
        ),
    ],
)
def test_windows_are_merged_until_k(
    windows: list[tuple[int, int]], published: list[tuple[int, int, int]]
) -> None:
    spans = run([window(*each) for each in windows])
    assert [(each.start, each.end, each.came_in) for each in spans] == published


@pytest.mark.parametrize("k", [-1, 0, 1, 2, 9])
def test_nothing_lowers_the_floor(k: int) -> None:
    assert least(k) == K_FLOOR == 10
    assert run([window(0, 9), window(SLOT_S, 0)], k) == []


def test_a_stricter_k_holds() -> None:
    assert run([window(0, 29), window(SLOT_S, 0)], 30) == []
    assert len(run([window(0, 30), window(SLOT_S, 0)], 30)) == 1


def test_who_was_not_looked_at_is_unknown_so_the_report_covers_the_public_count() -> (
    None
):
    spans = run([window(0, 10, came_in=13), window(SLOT_S, 0)])
    assert spans[0].ages == (0, 0, 10, 0, 3)
    assert spans[0].expressions == (10, 0, 3)
    assert sum(spans[0].ages) == sum(spans[0].expressions) == spans[0].came_in == 13


def test_people_who_were_not_looked_at_do_not_count_towards_k() -> None:
    assert run([window(0, 9, came_in=50), window(SLOT_S, 0)]) == []


def test_a_slot_divides_the_day_whoever_comes() -> None:
    assert floors.SLOT_S * floors.REPORTS_PER_DAY == DAY_S


minutes = st.integers(0, 3 * DAY_S // 60)
histories = st.lists(
    st.tuples(minutes, st.integers(0, 14), st.integers(0, 5)), max_size=60
)


@given(histories, st.booleans())
def test_no_sum_or_difference_of_reports_isolates_fewer_than_k(
    history: list[tuple[int, int, int]], in_order: bool
) -> None:
    """Each window is a set of people; an attacker adds and subtracts reports.

    Out of order stands for a clock that was set back.
    """
    if in_order:
        history = sorted(history)
    windows = [window(60 * at, looked, looked + more) for at, looked, more in history]
    spans = run(windows)
    for one, other in itertools.combinations(spans, 2):
        assert one.end <= other.start or other.end <= one.start
    for span in spans[:6]:
        assert span.ages[2] >= K
        assert sum(span.ages) == sum(span.expressions) == span.came_in
    for signs in itertools.product((-1, 0, 1), repeat=min(len(spans), 6)):
        isolated = sum(
            span.came_in for sign, span in zip(signs, spans, strict=False) if sign
        )
        assert isolated == 0 or isolated >= K


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 5)), max_size=80))
def test_a_report_and_the_public_counts_of_its_span_differ_by_nobody(
    minutes: list[tuple[int, int]],
) -> None:
    step = SLOT_S // 4
    windows = [
        Looks(i * step, (i + 1) * step, a + b, (0, a, 0, 0, 0), (0, a, 0))
        for i, (a, b) in enumerate(minutes)
    ]
    for span in run(windows):
        public = sum(
            each.came_in for each in windows if span.start <= each.start < span.end
        )
        assert span.came_in == sum(span.ages) == public


def test_negative_control_a_sliding_report_would_isolate_one_person() -> None:
    """What the promise is about: overlapping spans, each of k or more, betray one."""
    first, second = set(range(11)), set(range(1, 11))
    assert min(len(first), len(second)) >= K
    assert len(first - second) == 1
