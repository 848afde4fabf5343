"""A minute is closed once, a gap is declared, and no clock moves a count in secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.cells import (
    Age,
    Cell,
    Expression,
    LineCell,
    LooksCell,
    Quality,
    ZoneCell,
)
from doorsill.privacy.floors import SLOT_S
from doorsill.values import Attributes, Crossing, Direction
from doorsill.vision.window import GAP_S, WINDOW_S, WindowKeeper, ZoneTotals

NOON = 1_800_000_000 - 1_800_000_000 % 3600
RATE = 0.125
IN, OUT = Direction.IN, Direction.OUT


def no_zones(closing: bool) -> Sequence[ZoneTotals]:
    return ()


class Door:
    """A keeper with two clocks that can be driven apart."""

    def __init__(self, lines: int = 1, start: float = NOON) -> None:
        self.now, self.utc = 1000.0, float(start)
        self.keeper = WindowKeeper(lines, self.now, self.utc)
        self.cells: list[Cell] = []
        self.zones: Callable[[bool], Sequence[ZoneTotals]] = no_zones

    def run(
        self, seconds: float, quality: Quality = Quality.GOOD, step: float = RATE
    ) -> None:
        for _ in range(round(seconds / step)):
            self.keeper.take_frame(self.now, quality)
            self.wait(step)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.utc += seconds
        self.cells += self.keeper.tick(self.now, self.utc, self.zones)

    def cross(self, direction: Direction, line: int = 0) -> Crossing:
        crossing = Crossing(line, direction, self.now, 77)
        self.keeper.book([crossing])
        return crossing

    @property
    def closed(self) -> list[LineCell]:
        return [c for c in self.lines if c.closed]

    @property
    def lines(self) -> list[LineCell]:
        return [c for c in self.cells if isinstance(c, LineCell)]

    @property
    def looks(self) -> list[LooksCell]:
        return [c for c in self.cells if isinstance(c, LooksCell)]


def test_windows_are_whole_minutes_of_utc_and_the_first_is_shorter() -> None:
    door = Door(start=NOON + 45)
    door.run(140)
    assert [(c.start - NOON, c.duration_s) for c in door.closed] == [
        (45, 15),
        (60, 60),
        (120, 60),
    ]


def test_counts_are_of_the_window_alone() -> None:
    door = Door(lines=2)
    for direction, line in ((IN, 0), (IN, 0), (OUT, 1)):
        door.cross(direction, line)
    door.run(61)
    door.cross(OUT, 0)
    door.run(60)
    found = [(c.line, c.count_in, c.count_out) for c in door.closed]
    assert found == [(0, 2, 0), (1, 0, 1), (0, 0, 1), (1, 0, 0)]


def test_the_running_window_is_told_every_two_seconds() -> None:
    door = Door()
    door.run(10.5)
    running = [c for c in door.lines if not c.closed]
    assert len(running) == 5
    assert [c.duration_s for c in running] == [2, 4, 6, 8, 10]


def test_a_whole_minute_of_frames_is_covered() -> None:
    door = Door()
    door.run(120)
    first, second = door.closed
    assert first.coverage_ms == pytest.approx(60_000, abs=200)
    assert second.coverage_ms == pytest.approx(60_000, abs=200)
    assert first.quality == second.quality == Quality.GOOD


@pytest.mark.parametrize(
    ("pause", "quality"),
    [
        pytest.param(0.7, Quality.GOOD, id="a hiccup is none"),
        pytest.param(20.0, Quality.GAP, id="the camera was away"),
    ],
)
def test_a_gap_is_declared_and_not_covered(pause: float, quality: Quality) -> None:
    door = Door()
    door.run(30)
    door.wait(pause)
    door.run(31)
    cell = door.closed[0]
    assert cell.quality == quality
    lost = pause if pause > GAP_S else 0
    assert cell.coverage_ms == pytest.approx(60_000 - 1000 * lost, abs=1200)


@pytest.mark.parametrize(
    ("quality", "covered"),
    [
        pytest.param(Quality.COVERED, False, id="covered: not looked"),
        pytest.param(Quality.DARK, False, id="dark: not looked"),
        pytest.param(Quality.CLOSED, False, id="closed: not looked"),
        pytest.param(Quality.MOVED, True, id="moved: looked, but flagged"),
        pytest.param(Quality.LOW_FRAME_RATE, True, id="slow: looked, but flagged"),
    ],
)
def test_what_cannot_be_seen_is_not_covered(quality: Quality, covered: bool) -> None:
    door = Door()
    door.run(30)
    door.run(31, quality)
    cell = door.closed[0]
    assert cell.quality == quality | (Quality.GOOD if covered else Quality.GAP)
    expected = 60_000 if covered else 30_000
    assert cell.coverage_ms == pytest.approx(expected, abs=300)


def test_minutes_without_a_frame_are_told_as_empty() -> None:
    door = Door()
    door.run(30)
    door.wait(5 * 60)
    assert [c.start - NOON for c in door.closed] == [0, 60, 120, 180, 240]
    assert [c.coverage_ms for c in door.closed[1:]] == [0, 0, 0, 0]
    assert all(c.quality & Quality.GAP for c in door.closed[1:])


@pytest.mark.parametrize("jump", [86_400.0, 3600.0, -86_400.0, -3600.0, -30.0, 2.0])
def test_a_clock_that_jumps_ends_the_window_and_both_sides_say_so(jump: float) -> None:
    door = Door()
    door.run(20)
    door.cross(IN)
    door.run(4)
    door.utc += jump
    door.wait(RATE)
    door.cross(IN)
    door.run(120)
    before, after, later = door.closed[:3]
    assert (before.start - NOON, before.duration_s) == (0, 24)
    assert before.count_in == after.count_in == 1
    assert before.quality & after.quality & Quality.CLOCK
    assert abs(after.start - (NOON + 24 + jump)) <= 1
    assert not later.quality & Quality.CLOCK
    assert sum(c.count_in for c in door.closed) == 2


def test_a_clock_that_is_slewed_is_followed() -> None:
    door = Door()
    for _ in range(500):
        door.utc += 0.025
        door.keeper.take_frame(door.now, Quality.GOOD)
        door.wait(RATE)
    assert all(c.quality == Quality.GOOD for c in door.closed)
    assert [c.start - NOON for c in door.closed] == [0]


def test_the_last_window_is_closed_where_the_process_stops() -> None:
    door = Door()
    door.run(90)
    door.cross(OUT)
    (cell,) = door.keeper.close(door.now, door.utc, no_zones)
    assert isinstance(cell, LineCell)
    assert (cell.start - NOON, cell.duration_s, cell.count_out) == (60, 30, 1)
    assert cell.closed and cell.quality & Quality.GAP


ADULT = Attributes(Age.ADULT, Expression.FEMININE)
MORNING = NOON - NOON % SLOT_S


def looked_at(people: int) -> Door:
    """A slot in which ``people`` came in and were looked at, and the one after it."""
    door = Door(start=MORNING)
    for _ in range(people):
        door.keeper.book_attributes(door.cross(IN), ADULT)
        door.keeper.book_attributes(door.cross(OUT), ADULT)
    door.wait(60.0)
    door.wait(SLOT_S - 60.0)
    door.wait(60.0)
    return door


def test_looks_are_of_people_who_came_in_and_are_handed_over_as_one_sum() -> None:
    assert looked_at(10).looks == [
        LooksCell(0, MORNING, MORNING + SLOT_S, (0, 10, 0), (10, 0, 0))
    ]


@pytest.mark.parametrize("people", [0, 1, 9])
def test_looks_of_fewer_than_k_people_stay_in_vision(people: int) -> None:
    assert looked_at(people).looks == []


def test_the_stricter_k_of_the_policy_holds() -> None:
    door = Door(start=MORNING)
    door.keeper = WindowKeeper(1, door.now, door.utc, k=12)
    for _ in range(11):
        door.keeper.book_attributes(door.cross(IN), ADULT)
    door.wait(SLOT_S)
    door.wait(60.0)
    assert door.looks == []


def test_no_camera_is_a_gap_at_once_and_not_with_the_next_frame() -> None:
    door = Door()
    door.wait(2.5)
    assert [c.quality for c in door.lines] == [Quality.GAP]
    door.wait(58.0)
    assert [(c.quality, c.coverage_ms) for c in door.closed] == [(Quality.GAP, 0)]


def test_zones_are_asked_to_begin_anew_when_a_window_closes() -> None:
    door = Door()
    asked: list[bool] = []

    def zones(closing: bool) -> Sequence[ZoneTotals]:
        asked.append(closing)
        return [ZoneTotals(3, 90, 2, 1500)]

    door.zones = zones
    door.run(61)
    cells = [c for c in door.cells if isinstance(c, ZoneCell) and c.closed]
    assert [(c.visits, c.dwell_s, c.occupancy_max) for c in cells] == [(3, 90, 2)]
    assert asked.count(True) == 1


@given(
    st.lists(
        st.tuples(
            st.floats(0.04, 200.0),
            st.sampled_from([0.0, 0.0, 0.0, -90_000.0, -61.0, 1.5, 3600.0]),
            st.sampled_from([None, IN, OUT]),
        ),
        max_size=40,
    )
)
def test_whatever_the_clocks_do_every_crossing_is_told_once(
    story: list[tuple[float, float, Direction | None]],
) -> None:
    door = Door(start=NOON + 7)
    crossed = [0, 0]
    for wait, jump, direction in story:
        door.keeper.take_frame(door.now, Quality.GOOD)
        door.wait(wait)
        door.utc += jump
        if direction is not None:
            door.cross(direction)
            crossed[direction] += 1
    door.cells += door.keeper.close(door.now, door.utc, no_zones)
    assert sum(c.count_in for c in door.closed) == crossed[IN]
    assert sum(c.count_out for c in door.closed) == crossed[OUT]
    assert all(1 <= c.duration_s <= WINDOW_S for c in door.closed)
    assert all(0 <= c.coverage_ms <= 1000 * c.duration_s for c in door.closed)
