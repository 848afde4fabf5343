"""No report, and no difference of reports, speaks of fewer than k crossings."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.cells import Age
from doorsill.errors import UntrustedError
from doorsill.privacy import floors
from doorsill.privacy.floors import DAY_S, K_FLOOR, SLOT_S
from doorsill.privacy.threshold import Histogram, Pending, add, least, pad

K = 10


def window(start: int, looked: int) -> Histogram:
    """One minute in which ``looked`` adults were seen to come in."""
    return Histogram(start, start + 60, (0, looked, 0), (looked, 0, 0))


def run(windows: list[Histogram], k: int = K) -> list[Histogram]:
    pending, spans = Pending(), []
    for each in windows:
        pending, span = add(pending, each, k)
        if span is not None:
            spans.append(span)
    return spans


@pytest.mark.parametrize(
    ("windows", "published"),
    [
        pytest.param([(0, 9), (SLOT_S, 0)], [], id="nine people are not reported"),
        pytest.param(
            [(0, 10), (SLOT_S, 0)],
            [(0, SLOT_S, 10)],
            id="ten are, when their slot is over",
        ),
        pytest.param([(0, 500), (60, 500)], [], id="not before their slot is over"),
        pytest.param(
            [(0, 4), (SLOT_S, 3), (2 * SLOT_S, 31), (3 * SLOT_S, 0)],
            [(0, 3 * SLOT_S, 38)],
            id="small slots are merged with later ones",
        ),
        pytest.param(
            [(0, 10), (SLOT_S, 9), (DAY_S, 0)],
            [(0, SLOT_S, 10)],
            id="a rest below k at the end of the day is forgotten",
        ),
        pytest.param(
            [(DAY_S - 60, 9), (DAY_S, 9), (DAY_S + SLOT_S, 0)],
            [],
            id="a day does not borrow from the day before",
        ),
        pytest.param(
            [(DAY_S - 60, 12), (DAY_S, 9), (DAY_S + SLOT_S, 0)],
            [(DAY_S - SLOT_S, DAY_S, 12)],
            id="the last slot of a day is reported on the next",
        ),
        pytest.param(
            [(3600, 10), (0, 50), (60, 50), (SLOT_S, 0)],
            [(0, SLOT_S, 10)],
            id="a clock set back adds nobody to a span",
        ),
    ],
)
def test_windows_are_merged_until_k(
    windows: list[tuple[int, int]], published: list[tuple[int, int, int]]
) -> None:
    spans = run([window(*each) for each in windows])
    assert [(each.start, each.end, each.people) for each in spans] == published


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
    (span,) = run([window(0, 10), window(SLOT_S, 0)])
    told = pad(span, 13, K)
    assert told.ages == (0, 10, 3)
    assert told.expressions == (10, 0, 3)
    assert sum(told.ages) == sum(told.expressions) == 13


@pytest.mark.parametrize(
    ("looks", "came_in"),
    [
        pytest.param(window(0, 9), 50, id="who was not looked at does not count"),
        pytest.param(window(0, 12), 11, id="more than came in"),
        pytest.param(window(0, 12), 0, id="nobody came in"),
        pytest.param(
            Histogram(0, SLOT_S, (0, 0, 12, 0, 0), (5, 0, 0)),
            20,
            id="not the same people",
        ),
    ],
)
def test_what_is_of_fewer_than_k_or_of_others_is_refused(
    looks: Histogram, came_in: int
) -> None:
    with pytest.raises(UntrustedError):
        pad(looks, came_in, K)


def test_a_window_without_length_is_left_out() -> None:
    empty = Histogram(SLOT_S, SLOT_S, (0, 0, 12, 0, 0), (12, 0, 0))
    assert add(Pending(), empty, K) == (Pending(), None)


def test_what_was_seen_in_one_slot_is_added_up_cell_by_cell() -> None:
    first = Histogram(0, 60, (1, 2, 12), (6, 7, 2))
    second = Histogram(60, 120, (5, 4, 6), (3, 4, 8))
    pending, _ = add(Pending(), first, K)
    pending, _ = add(pending, second, K)
    assert pending.span == Histogram(0, SLOT_S, (6, 6, 18), (9, 11, 10))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(Histogram(60, 120, (1, 2, 3, 0, 0), (6, 0, 0)), id="ages"),
        pytest.param(Histogram(60, 120, (1, 2, 3), (6, 0)), id="expressions"),
    ],
)
def test_cells_of_another_shape_are_never_added(odd: Histogram) -> None:
    pending, _ = add(Pending(), Histogram(0, 60, (1, 2, 12), (6, 7, 2)), K)
    with pytest.raises(ValueError, match="zip"):
        add(pending, odd, K)


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
    windows = [window(60 * at, looked) for at, looked, _ in history]
    public = {60 * at: 0 for at, _, _ in history}
    for at, looked, more in history:
        public[60 * at] += looked + more
    spans = run(windows)
    came_in = [
        sum(n for start, n in public.items() if span.start <= start < span.end)
        for span in spans
    ]
    for one, other in itertools.combinations(spans, 2):
        assert one.end <= other.start or other.end <= one.start
    for span, people in zip(spans[:6], came_in, strict=False):
        assert span.ages[Age.ADULT] >= K
        told = pad(span, people, K)
        assert sum(told.ages) == sum(told.expressions) == people
    for signs in itertools.product((-1, 0, 1), repeat=min(len(spans), 6)):
        isolated = sum(
            people for sign, people in zip(signs, came_in, strict=False) if sign
        )
        assert isolated == 0 or isolated >= K


def test_negative_control_a_sliding_report_would_isolate_one_person() -> None:
    """What the promise is about: overlapping spans, each of k or more, betray one."""
    first, second = set(range(11)), set(range(1, 11))
    assert min(len(first), len(second)) >= K
    assert len(first - second) == 1
