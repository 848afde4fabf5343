"""The line: the seven scenes that miscount elsewhere, and the laws that always hold."""

from __future__ import annotations

import gc
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import FRAME_S, WIDE, Step, drive, tally, tracks_of

from doorsill.values import Crossing, Direction
from doorsill.vision.count.line import SETTLE_S, LineCounter
from doorsill.vision.count.loose_ends import (
    HANDOVER_S,
    LOOSE_ENDS_LIMIT,
    LastSeen,
    LooseEnds,
)
from doorsill.vision.geometry import Point, crossings, inside

ACROSS = [((0.0, 0.5), (1.0, 0.5))]  # left of it is up: IN is downwards


def at(*heights: float, track: int = 1, x: float = 0.5) -> list[Step]:
    return [{track: (x, y)} for y in heights]


def walk(start: float, end: float, steps: int = 20, track: int = 1) -> list[Step]:
    return at(*np.linspace(start, end, steps).tolist(), track=track)


A, B = 0.3, 0.7  # above the line, below it
ABOVE, BELOW = at(*[A] * 6), at(B)


@pytest.mark.parametrize(
    ("steps", "truth"),
    [
        pytest.param([*ABOVE, *BELOW, *ABOVE], (0, 0), id="a one-frame flicker"),
        pytest.param([*ABOVE, *at(B, B), *ABOVE], (0, 0), id="a flicker of two frames"),
        pytest.param(
            [*ABOVE, *BELOW, *ABOVE, *BELOW, *ABOVE, *BELOW, *ABOVE],
            (0, 0),
            id="three flickers",
        ),
        pytest.param(
            [{-1: (0.5, y)} for y in (A, B) * 6],
            (0, 0),
            id="two unconfirmed objects share the id -1, on alternating sides",
        ),
        pytest.param(
            [*walk(0.3, 0.5, 10, track=1), *walk(0.51, 0.7, 10, track=2)],
            (1, 0),
            id="the id switches while on the line",
        ),
        pytest.param(walk(B, A), (0, 1), id="a plain crossing, out"),
        pytest.param(walk(A, B), (1, 0), id="a plain crossing, in"),
    ],
)
def test_the_scenes_that_miscount_elsewhere(
    steps: list[Step], truth: tuple[int, int]
) -> None:
    assert tally(drive(LineCounter(ACROSS), steps)) == truth


def test_a_tall_box_that_enters_over_a_line_at_the_very_top_counts() -> None:
    top = [((0.0, 0.02), (1.0, 0.02))]
    steps = at(*np.arange(0.008, 0.5, 0.02).tolist())
    assert tally(drive(LineCounter(top), steps, tall=0.4)) == (1, 0)


@pytest.mark.parametrize(
    ("steps", "truth"),
    [
        pytest.param(
            [*walk(A, 0.6, 8), *walk(0.6, A, 8)], (0, 0), id="a U-turn cancels"
        ),
        pytest.param(
            [*walk(A, 0.6), *at(*[0.6] * 120), *walk(0.6, A)],
            (1, 1),
            id="who comes back after the settling time has been in and out",
        ),
        pytest.param(
            [*walk(A, 0.9, 40), *walk(0.9, A, 40)],
            (1, 1),
            id="who was far inside and comes back has been in and out",
        ),
        pytest.param(walk(A, 0.49), (0, 0), id="walks up to the line and vanishes"),
        pytest.param(
            [*walk(A, 0.45, 8), *[{}] * 8, *walk(0.52, B, 8, track=2)],
            (1, 0),
            id="lost before the line, found behind it",
        ),
        pytest.param(
            [*walk(A, 0.45, 8), *[{}] * 60, *walk(0.52, B, 8, track=2)],
            (0, 0),
            id="too late: somebody else",
        ),
        pytest.param(
            [
                *walk(A, 0.499, 8, track=1),
                *walk(0.503, 0.498, 8, track=2),
                *walk(0.502, 0.501, 8, track=3),
                *walk(0.501, A, 8, track=4),
            ],
            (0, 0),
            id="an id that breaks again and again on the line, then turns back",
        ),
    ],
)
def test_stories(steps: list[Step], truth: tuple[int, int]) -> None:
    assert tally(drive(LineCounter(ACROSS), steps)) == truth


@pytest.mark.parametrize(
    ("steps", "truth"),
    [
        pytest.param([*walk(0.55, A, track=2)], (0, 0), id="turns back"),
        pytest.param([*walk(0.55, 0.9, track=2)], (1, 0), id="walks on"),
        pytest.param([{}] * 80, (1, 0), id="is not seen again"),
    ],
)
def test_who_stood_past_the_line_when_the_id_broke(
    steps: list[Step], truth: tuple[int, int]
) -> None:
    stood = [*walk(A, 0.55), *at(*[0.55] * 12), *[{}] * 4]
    assert tally(drive(LineCounter(ACROSS), [*stood, *steps])) == truth


@pytest.mark.parametrize(
    ("tall", "truth"),
    [
        pytest.param(0.2, (0, 0), id="inside the picture: the one who stood there"),
        pytest.param(0.27, (1, 1), id="at its edge: somebody who comes in"),
    ],
)
def test_who_appears_at_the_edge_takes_up_nothing(
    tall: float, truth: tuple[int, int]
) -> None:
    went = [*walk(B, 0.27), *at(*[0.27] * 8), *[{}] * 4]
    steps = [*went, *walk(0.27, B, track=2)]
    assert tally(drive(LineCounter(ACROSS), steps, tall=tall)) == truth


@pytest.mark.parametrize(
    ("last", "beside", "truth"),
    [
        pytest.param(0.51, None, (1, 0), id="past it"),
        pytest.param(0.49, None, (0, 0), id="before it"),
        pytest.param(
            0.51, 0.56, (0, 0), id="somebody is beside: may be one, seen twice"
        ),
        pytest.param(0.51, 0.9, (1, 0), id="somebody is elsewhere"),
    ],
)
def test_who_leaves_the_picture_within_the_band_went_where_they_were_last_seen(
    last: float, beside: float | None, truth: tuple[int, int]
) -> None:
    counter, now, found = LineCounter(ACROSS), 10.0, list[Crossing]()
    other: Step = {} if beside is None else {2: (beside, 0.4)}
    for y in np.linspace(0.2, last, 20):
        found += counter.update(tracks_of({1: (0.5, float(y)), **other}), now)
        now += FRAME_S
    gone = replace(tracks_of(other, ended=(1,)), left=(1,))
    found += counter.update(gone, now)
    assert tally(found) == truth


def test_who_is_lost_on_the_way_out_does_not_come_in_at_once() -> None:
    counter, found = LineCounter(ACROSS), []
    steps = [*walk(B, 0.3), *[{}] * 4, *walk(0.3, B, track=2), *[{}] * 150]
    for row, step in enumerate(steps):
        tracks = tracks_of(step)
        tracks.confirmed[:] = row not in range(24, 27)  # the second one's first frames
        found += counter.update(tracks, 10.0 + row * FRAME_S)
    assert tally(found) == (1, 1)


@pytest.mark.parametrize(("others", "told"), [(0, 0), (1, 0), (2, 1)])
def test_the_more_come_the_other_way_the_sooner_a_crossing_is_told(
    others: int, told: int
) -> None:
    steps = []
    for y in np.linspace(A, 0.5 + 1.5 * WIDE * 4 / 3, 30).tolist():
        step = {1: (0.5, y)}
        for other in range(others):
            step[2 + other] = (0.47 + 0.06 * other, 1.2 - y)
        steps.append(step)
    found = drive(LineCounter(ACROSS), steps, finish=False)
    assert tally(found)[0] == told


def test_the_heir_may_be_born_while_the_old_track_still_coasts() -> None:
    counter = LineCounter(ACROSS)
    found = drive(counter, walk(A, 0.47, 8), finish=False)
    for row, y in enumerate(np.linspace(0.52, B, 10)):
        both = tracks_of({1: (0.5, 0.5), 2: (0.5, float(y))})
        both.detection[0] = -1
        found += counter.update(both, 10.7 + row * FRAME_S)
    assert found == []
    for row in range(200):
        found += counter.update(tracks_of({2: (0.5, 0.8)}), 11.6 + row * FRAME_S)
    assert tally(found) == (1, 0)


def test_a_track_that_coasts_over_the_line_is_not_believed() -> None:
    counter = LineCounter(ACROSS)
    assert drive(counter, walk(A, 0.45), finish=False) == []
    for row, y in enumerate(np.linspace(0.45, B, 12)):
        coasting = tracks_of({1: (0.5, float(y))})
        coasting.detection[:] = -1
        assert counter.update(coasting, 12.0 + row * FRAME_S) == []


def test_a_crossing_is_told_in_time_while_the_person_stays_in_view() -> None:
    counter = LineCounter(ACROSS)
    steps = [*walk(A, 0.6), *at(*[0.6] * round((SETTLE_S + 1) / FRAME_S))]
    (crossing,) = drive(counter, steps, finish=False)
    assert crossing.direction is Direction.IN
    assert crossing.time == pytest.approx(10.0 + 14 * FRAME_S, abs=2 * FRAME_S)


def test_who_stays_on_the_line_is_told_only_after_leaving_it() -> None:
    counter = LineCounter(ACROSS)
    steps = [*walk(A, 0.54), *at(*[0.54, 0.46] * 200), *at(*[0.54] * 9)]
    assert drive(counter, steps, finish=False) == []
    (crossing,) = drive(counter, walk(0.54, 0.95), finish=True)
    assert crossing.direction is Direction.IN


STAFF = [((0.4, 0.6), (0.6, 0.6), (0.6, 0.8), (0.4, 0.8))]


@pytest.mark.parametrize(
    ("steps", "truth"),
    [
        pytest.param(walk(A, B), (0, 0), id="ends at the staff door"),
        pytest.param(walk(B, A), (0, 0), id="comes from the staff door"),
        pytest.param(walk(A, 0.95), (1, 0), id="passes by the staff door"),
        pytest.param(
            [*walk(B, 0.5, track=1), *walk(0.49, 0.2, track=2)],
            (0, 0),
            id="comes from the staff door, id breaks",
        ),
    ],
)
def test_the_staff_door(steps: list[Step], truth: tuple[int, int]) -> None:
    assert tally(drive(LineCounter(ACROSS, exclude=STAFF), steps)) == truth


CORNER = [((0.2, 0.9), (0.2, 0.5), (0.8, 0.5))]  # around the top left of a room


@pytest.mark.parametrize(
    ("path", "truth"),
    [
        pytest.param([(0.5, 0.2), (0.5, 0.8)], (1, 0), id="through one side"),
        pytest.param([(0.05, 0.7), (0.5, 0.7)], (1, 0), id="through the other side"),
        pytest.param([(0.05, 0.2), (0.5, 0.8)], (1, 0), id="through the corner"),
        pytest.param([(0.5, 0.8), (0.05, 0.3)], (0, 1), id="out at the corner"),
        pytest.param([(0.9, 0.2), (0.9, 0.8)], (0, 0), id="past the end"),
        pytest.param([(0.1, 0.8), (0.5, 0.2)], (0, 0), id="in and out of the corner"),
    ],
)
def test_a_poly_line_has_corners_and_ends(
    path: list[tuple[float, float]], truth: tuple[int, int]
) -> None:
    points = np.linspace(path[0], path[1], 25).tolist()
    steps = [{1: (x, y)} for x, y in points]
    assert tally(drive(LineCounter(CORNER), steps)) == truth


def test_lines_count_apart_and_each_way() -> None:
    lines = [ACROSS[0], ((1.0, 0.6), (0.0, 0.6)), ((0.0, 0.1), (0.3, 0.1))]
    found = drive(LineCounter(lines), walk(A, 0.9))
    assert [tally(found, line) for line in range(3)] == [(1, 0), (0, 1), (0, 0)]


JITTER = st.lists(st.floats(-1, 1), min_size=1, max_size=40)
SIDES = st.lists(st.sampled_from([-1.0, 1.0]), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(SIDES, JITTER, st.booleans())
def test_in_less_out_is_the_net_change_of_side(
    sides: list[float], jitter: list[float], breaks: bool
) -> None:
    noise = itertools.cycle(jitter)
    steps: list[Step] = []
    for place, side in enumerate(sides):
        track = 1 + place if breaks else 1
        for _ in range(3):  # clear of the band, however it jitters, then in the band
            steps.append({track: (0.5, 0.5 + side * (0.03 + 0.004 * next(noise)))})
        for _ in range(3):
            steps.append({track: (0.5, 0.5 + 0.004 * next(noise))})
    steps.append({len(sides) if breaks else 1: (0.5, 0.5 + sides[-1] * 0.06)})
    went_in, went_out = tally(drive(LineCounter(ACROSS), steps))
    assert went_in - went_out == (sides[-1] - sides[0]) / 2


@settings(max_examples=100, deadline=None)
@given(JITTER, st.floats(0.1, 0.9))
def test_no_jitter_inside_the_band_counts(jitter: list[float], x: float) -> None:
    steps = [{1: (x, 0.5 + 0.019 * each)} for each in jitter]
    assert drive(LineCounter(ACROSS), steps) == []


def test_nothing_is_kept_of_a_track_that_ended() -> None:
    marker = 0x5EC2E7
    counter = LineCounter(ACROSS, exclude=STAFF)
    drive(counter, walk(A, 0.49, track=marker), finish=False)
    assert len(counter) == 1 and marker in reachable(counter)  # negative control
    drive(counter, [{}, {}], finish=False)
    assert len(counter) == 1 and marker in reachable(counter)  # may be handed over
    counter.update(tracks_of({}), 10.0 + 30 * FRAME_S + HANDOVER_S)
    assert len(counter) == 0 and marker not in reachable(counter)


def reachable(root: object) -> set[int]:
    """Every integer that can be reached from ``root``."""
    seen, todo, numbers = set(), [root], set()
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type | type(gc)):
            continue
        seen.add(id(each))
        if isinstance(each, int):
            numbers.add(each)
        todo += gc.get_referents(each)
    return numbers


def spot(time: float, foot: Point, head: Point | None = None) -> LastSeen:
    x, y = foot
    return LastSeen(time, foot, head or (x, y - 0.3), 0.1)


def test_a_birth_is_near_where_the_heads_are_near() -> None:
    """A detector guesses feet: two that are apart may be one person's."""
    lost, strays, elsewhere = (0.5, 0.5), (0.5, 0.62), (0.62, 0.5)
    ends: LooseEnds[int] = LooseEnds()
    ends.leave(spot(1.0, lost), STILL, 7)
    assert ends.claim(spot(1.2, elsewhere), STILL) is None  # the head as well
    assert ends.claim(spot(1.2, strays, head=(0.5, 0.2)), STILL) == 7


STILL, DOWN, UP, CREEPS = (0.0, 0.0), (0.0, 0.2), (0.0, -0.2), (0.0, -0.01)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        pytest.param(DOWN, DOWN, True, id="walks on"),
        pytest.param(STILL, UP, True, id="had stopped"),
        pytest.param(DOWN, CREEPS, True, id="slows down, and jitters"),
        pytest.param(DOWN, UP, False, id="comes the other way at once"),
    ],
)
def test_who_walks_the_other_way_is_somebody_else(
    before: tuple[float, float], after: tuple[float, float], same: bool
) -> None:
    ends: LooseEnds[int] = LooseEnds()
    ends.leave(spot(1.0, (0.5, 0.5)), before, 7)
    assert ends.claim(spot(1.4, (0.5, 0.52)), after) == (7 if same else None)
    assert len(ends) == (0 if same else 1)


def test_loose_ends_are_bounded_and_claimed_once() -> None:
    ends: LooseEnds[int] = LooseEnds()
    overdue = [ends.leave(spot(1.0, (0.5, 0.5)), (0, 0), each) for each in range(70)]
    assert (
        list(itertools.chain(*overdue)) == list(range(70 - LOOSE_ENDS_LIMIT))
        and len(ends) == LOOSE_ENDS_LIMIT
    )
    assert ends.claim(spot(1.5, (0.9, 0.5)), STILL) is None  # too far
    assert ends.claim(spot(1.5, (0.55, 0.5)), STILL) is not None
    assert (
        len(ends.expire(1.0 + HANDOVER_S + 0.1)) == LOOSE_ENDS_LIMIT - 1
        and len(ends) == 0
    )


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=2))
def test_a_closed_walk_crosses_an_endless_line_as_often_in_as_out(
    path: list[tuple[float, float]],
) -> None:
    line = ((-1e6, -1e6 + 0.3), (1e6, 1e6 + 0.1))
    closed = [*path, path[0]]
    steps = itertools.pairwise(closed)
    assert sum(crossings(line, start, end) for start, end in steps) == 0


def test_inside_a_polygon() -> None:
    bend = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0))
    assert inside(bend, (0.1, 0.5)) and not inside(bend, (0.5, 0.5))
