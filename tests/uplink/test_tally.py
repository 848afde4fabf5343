"""Pieces become whole minutes: each once, in order, and nobody is lost or doubled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.cells import (
    CROSSINGS_MOST,
    MINUTE_S,
    Cell,
    LineCell,
    LooksCell,
    Quality,
    ZoneCell,
)
from doorsill.channels.cell_link import Received
from doorsill.errors import UntrustedError, UplinkError
from doorsill.privacy.floors import SLOT_S
from doorsill.uplink.pieces import LineSums, Places, ZoneSums, minute_of
from doorsill.uplink.reports import quality_of
from doorsill.uplink.tally import Minute, Tally
from doorsill.uplink.tally_text import tally_of, text_of

NOON = 1_800_000_000 - 1_800_000_000 % 3600
PLACES = Places(1, 0)
LATER = NOON + 86_400.0


def piece(start: int, length: int = 60, count_in: int = 1, **changes: Any) -> LineCell:
    """``count_in`` people in, nobody out, all of it looked at."""
    whole = LineCell(
        0, NOON + start, length, True, count_in, 0, 1000 * length, Quality.GOOD
    )
    return replace(whole, **changes)


class Book:
    """A tally that is fed cells with numbers of their own, as the link gives them."""

    def __init__(self, places: Places = PLACES, floor: int = NOON) -> None:
        self.tally = Tally(places, 7, floor)
        self.told: list[Minute] = []
        self.number = 0

    def take(self, cell: Cell, run: int = 1, utc: float = LATER) -> None:
        self.number += 1
        self.told += self.tally.take(Received(run, self.number, cell), utc)

    @property
    def lines(self) -> list[tuple[int, int, int]]:
        """(start, in, covered seconds) of the first line in what was told."""
        found = []
        for minute in self.told:
            sums = minute.sums["line-0"]
            assert isinstance(sums, LineSums)
            found.append((minute.start - NOON, sums.count_in, sums.coverage_ms // 1000))
        return found


def restart(book: Book) -> None:
    book.take(piece(0, 24, 7))
    book.take(piece(29, 31, 5), run=2)


def crash(book: Book) -> None:
    """Vision dies with a piece that it did not close."""
    book.take(piece(0, 24, 7, closed=False))
    book.take(piece(29, 31, 5), run=2)


def clock_forward(book: Book) -> None:
    book.take(piece(0, 24, 7, quality=Quality.CLOCK))
    book.take(piece(30, 30, 5, quality=Quality.CLOCK))


def clock_back(book: Book) -> None:
    book.take(piece(0, 60, 7))
    book.take(piece(30, 30, 5, quality=Quality.CLOCK))
    book.take(piece(60, 60, 3))


@pytest.mark.parametrize(
    ("story", "told"),
    [
        pytest.param(restart, [(0, 12, 55)], id="vision started again"),
        pytest.param(crash, [(0, 12, 55)], id="vision died"),
        pytest.param(clock_forward, [(0, 12, 54)], id="the clock stepped ahead"),
        pytest.param(clock_back, [(0, 7, 60), (60, 8, 60)], id="it stepped back"),
    ],
)
def test_pieces_of_a_minute_are_added_up(
    story: Callable[[Book], None], told: list[tuple[int, int, int]]
) -> None:
    book = Book()
    story(book)
    assert book.lines == told


def test_pieces_together_are_at_most_a_minute_and_one_bound_on_counts() -> None:
    book = Book()
    for run in range(1, 5):
        book.take(piece(0, 59, CROSSINGS_MOST), run=run)
    book.take(piece(60))
    assert book.lines[0] == (0, CROSSINGS_MOST, 60)


def test_a_minute_is_told_once_and_in_order() -> None:
    book = Book()
    for start in (0, 60, 0, 120, 60, 60, 180):
        book.take(piece(start))
    assert [start for start, *_ in book.lines] == [0, 60, 120, 180]
    assert sum(people for _, people, _ in book.lines) + 0 == 7
    assert book.told[2].sums["line-0"].quality & Quality.CLOCK


def test_what_is_of_a_time_to_come_is_told_now() -> None:
    book = Book()
    book.take(piece(86_400), utc=NOON + 61.0)
    book.take(piece(60), utc=NOON + 121.0)
    assert book.lines == [(60, 2, 60)]


def test_a_cell_that_comes_again_is_taken_once() -> None:
    book = Book()
    received = Received(1, 5, piece(0, 30))
    for _ in range(3):
        assert book.tally.take(received, LATER) == []
    assert book.tally.settled["line-0"] == LineSums(1, 0, 30_000, 0)


def test_a_running_piece_is_replaced_by_its_next_account() -> None:
    book = Book()
    for seconds in (2, 4, 6):
        book.take(piece(0, seconds, seconds, closed=False))
    assert book.tally.totals_now() == ((6, 0),)
    assert book.tally.closed_totals() == ((0, 0),)
    book.take(piece(0, 60, 9))
    assert book.lines == [(0, 9, 60)]
    assert book.tally.closed_totals() == book.tally.totals_now() == ((9, 0),)


def test_what_was_told_of_a_piece_that_runs_on_is_not_counted_twice() -> None:
    """Vision stood still for minutes; we closed its minute, and then it goes on."""
    book = Book()
    book.take(piece(0, 20, 4, closed=False), utc=NOON + 20.0)
    book.told += book.tally.lapse(NOON + 130.0, NOON)
    book.take(piece(0, 60, 9), utc=NOON + 131.0)
    assert book.tally.reported == {}  # the piece is over, and nothing of it comes again
    book.take(piece(60, 60, 1), utc=NOON + 132.0)
    assert sum(people for _, people, _ in book.lines) == 10
    assert book.lines == [(0, 4, 20), (60, 6, 60)]


def test_a_minute_that_is_not_covered_whole_has_a_gap_whatever_vision_says() -> None:
    book = Book()
    book.take(piece(0, 60, coverage_ms=59_400))
    book.take(piece(60, 60, coverage_ms=59_600))
    book.take(piece(120, 60, quality=Quality.GAP))
    qualities = [quality_of(minute.sums["line-0"]) for minute in book.told]
    assert qualities == [Quality.GAP, Quality.GOOD, Quality.GOOD]


def test_a_minute_without_vision_is_closed_by_us() -> None:
    tally = Tally(PLACES, 7, NOON)
    assert tally.lapse(NOON + 119.0, NOON) == []
    assert [each.start for each in tally.lapse(NOON + 120.0, NOON)] == [NOON]
    assert tally.lapse(NOON + 121.0, NOON) == []
    assert [each.start for each in tally.lapse(NOON + 400.0, NOON + 240)] == [
        NOON + 240
    ]


def test_a_clock_that_jumps_ahead_without_vision_leaves_an_hour_of_gaps_at_most() -> (
    None
):
    tally, told = Tally(PLACES, 7, NOON), list[Minute]()
    tally.take(Received(1, 1, piece(0, 20, 3)), NOON + 20.0)
    year_later = NOON + 365 * 86_400.0
    while minutes := tally.lapse(year_later, NOON):
        told += minutes
    assert told[0].start == NOON  # what was open is told all the same
    assert 50 <= len(told) - 1 <= 60


@pytest.mark.parametrize(
    ("back_s", "epochs"),
    [
        pytest.param(30, {7}, id="a small step goes on"),
        pytest.param(3600, {7, 8}, id="an hour begins a new epoch"),
    ],
)
def test_a_clock_that_is_set_back_loses_nobody(back_s: int, epochs: set[int]) -> None:
    book = Book(floor=NOON - 7200)
    for start in (0, 60, 120):
        book.take(piece(start), utc=NOON + start + 60.0)
    now = NOON + 180 - back_s
    book.told += book.tally.set_back(now, 8)
    for start in range(180 - back_s, 600, 60):
        whole = start - start % 60 + 60
        book.take(piece(start, whole - start), utc=NOON + whole)
    assert {minute.epoch for minute in book.told} == epochs
    keys = [(minute.epoch, minute.start) for minute in book.told]
    assert len(set(keys)) == len(keys)
    people = sum(count for _, count, _ in book.lines)
    assert people == book.number
    assert book.tally.closed_totals() == ((people, 0),)


def test_what_was_open_before_the_machine_began_is_told_at_our_start() -> None:
    tally = Tally(PLACES, 7, NOON)
    tally.take(Received(1, 1, piece(0, 20, 3, closed=False)), NOON + 20.0)
    again = tally_of(text_of(tally), PLACES)
    (minute,) = again.begin_again(NOON + 3600)
    assert (minute.start, minute.totals) == (NOON, ((3, 0),))
    assert again.floor == NOON + 3600


def test_a_minute_that_began_with_the_machine_goes_on() -> None:
    tally = Tally(PLACES, 7, NOON)
    tally.take(Received(1, 1, piece(0, 20, 3)), LATER)
    assert tally.begin_again(NOON) == []
    assert (tally.minute, tally.floor) == (NOON, NOON)


@pytest.mark.parametrize("first", [(0, 1), (1, 0), (1, 1)], ids=str)
def test_a_new_tally_has_heard_nothing(first: tuple[int, int]) -> None:
    tally = Tally(PLACES, 7, NOON)
    tally.take(Received(*first, piece(0, 20, 3)), LATER)
    assert tally.totals_now() == ((3, 0),)
    assert tally.heard == first


def test_a_line_has_one_total() -> None:
    assert Tally(Places(2, 1), 7, NOON).totals == [[0, 0], [0, 0]]


def test_totals_stop_where_the_wire_ends() -> None:
    book = Book()
    book.tally.totals = [[999_999_998, 999_999_997]]
    book.take(piece(0, 60, 1, count_out=1))
    assert book.tally.closed_totals() == ((999_999_999, 999_999_998),)
    book.take(piece(60, 60, 7, count_out=7))
    assert book.tally.closed_totals() == ((999_999_999, 999_999_999),)


def test_the_total_of_now_is_all_that_was_counted_of_three_kinds() -> None:
    """Closed minutes, closed pieces of the open one, and the piece that runs."""
    book = Book()
    book.take(piece(0, 60, 100, count_out=200))
    book.take(piece(60, 20, 10, count_out=20))
    book.take(piece(80, 5, 1, count_out=2, closed=False), run=2)
    assert book.tally.closed_totals() == ((100, 200),)
    assert book.tally.totals_now() == ((111, 222),)


@pytest.mark.parametrize(
    ("ends_in_s", "minute", "flag"),
    [
        pytest.param(2, NOON, Quality.GOOD, id="as far ahead as a clock may be"),
        pytest.param(3, NOON - 60, Quality.CLOCK, id="a second more"),
    ],
)
@pytest.mark.parametrize("open_", [True, False], ids=["a minute is open", "none is"])
def test_a_cell_may_end_two_seconds_from_now(
    ends_in_s: int, minute: int, flag: Quality, open_: bool
) -> None:
    tally = Tally(PLACES, 7, NOON - 120)
    utc = NOON + 30 - ends_in_s
    if open_:
        tally.take(Received(1, 1, piece(-60, 20, 0)), utc)
        wanted = minute
    else:  # then it is reported now
        wanted = minute_of(utc)
    tally.take(Received(1, 2, piece(0, 30, 5)), utc)
    assert (tally.minute, tally.settled["line-0"].quality) == (wanted, flag)


@pytest.mark.parametrize(
    ("minute", "back", "set_back"),
    [
        pytest.param(
            None, 180, False, id="two minutes before the last that was reported"
        ),
        pytest.param(None, 181, True, id="a second more"),
        pytest.param(0, 120, False, id="two minutes before the open one"),
        pytest.param(0, 121, True, id="a second more, with one open"),
    ],
)
def test_a_clock_may_go_back_two_minutes(
    minute: int | None, back: int, set_back: bool
) -> None:
    tally = Tally(PLACES, 7, NOON)
    tally.minute = None if minute is None else NOON + minute
    assert tally.is_set_back(NOON - back) is set_back


SLOT = NOON - NOON % SLOT_S  # the beginning of the slot of noon


def test_people_who_came_in_are_kept_by_line_and_slot_for_two_days() -> None:
    book = Book(Places(2, 0), floor=SLOT)
    for step in range(18):
        for index in (0, 1):
            cell = piece(
                SLOT - NOON + step * SLOT_S, 60, step + 100 * index, line=index
            )
            book.take(cell, utc=LATER + 2 * 86_400)
    first = SLOT // SLOT_S
    kept = {slot for line, slot in book.tally.came_in}
    assert kept == set(range(first + 1, first + 18))
    assert book.tally.came_in[0, first + 3] == 3
    assert book.tally.came_in[1, first + 3] == 103


def looks(start: int, end: int, index: int = 0) -> LooksCell:
    at = (SLOT + start * SLOT_S, SLOT + end * SLOT_S)
    return LooksCell(index, *at, (0, 10, 0), (10, 0, 0))


def slots(book: Book, count: int) -> Book:
    """``count`` slots with two minutes each: 7 and 8 people in."""
    for number in range(count):
        for minute in (0, 1):
            at = SLOT - NOON + number * SLOT_S + 60 * minute
            book.take(piece(at, 60, 7 + minute))
    return book


def test_looks_are_of_everybody_whom_interval_counts_in_their_slots() -> None:
    book = slots(Book(floor=SLOT), 4)
    book.take(piece(SLOT - NOON + 4 * SLOT_S, 60))
    take = book.tally.take_looks
    assert take(Received(1, 100, looks(0, 1))) == 15
    assert take(Received(1, 101, looks(1, 4))) == 45
    with pytest.raises(UntrustedError, match="looks come twice"):
        take(Received(1, 101, looks(1, 4)))
    assert take(Received(2, 1, looks(0, 4))) == 60


@pytest.mark.parametrize("open_", [True, False], ids=["a minute is open", "none is"])
def test_looks_are_told_when_their_time_is_over_and_once(open_: bool) -> None:
    """Open or not: what is of before the next minute to be reported is over."""
    book = slots(Book(floor=SLOT), 1)
    at = 2 * SLOT_S
    if open_:
        book.take(piece(SLOT - NOON + at, 30))
        assert book.tally.minute == SLOT + at
    else:
        book.tally.floor = SLOT + at
    take = book.tally.take_looks
    with pytest.raises(UntrustedError, match="not over or was reported"):
        take(Received(1, 100, looks(1, 3)))
    assert take(Received(1, 101, looks(0, 2))) == 15
    book.tally.mark_looks_used(looks(0, 1))
    with pytest.raises(UntrustedError, match="not over or was reported"):
        take(Received(1, 102, looks(0, 2)))
    assert take(Received(1, 103, looks(1, 2))) == 0


def test_looks_of_a_line_say_nothing_of_another() -> None:
    book = Book(Places(2, 0), floor=SLOT)
    for index in (0, 1):
        book.take(piece(SLOT - NOON, 60, 5 + index, line=index))
    book.take(piece(SLOT - NOON + SLOT_S, 60))
    book.tally.mark_looks_used(looks(0, 1, 0))
    assert book.tally.take_looks(Received(1, 100, looks(0, 1, 1))) == 6


def test_a_clock_that_is_set_back_forgets_who_came_in_since() -> None:
    book = slots(Book(floor=SLOT), 3)
    book.tally.mark_looks_used(looks(0, 1))
    book.tally.set_back(SLOT + SLOT_S + 5, 8)
    assert set(book.tally.came_in) == {(0, SLOT // SLOT_S)}
    assert book.tally.looked_until == {}
    assert book.tally.floor == SLOT + SLOT_S


def test_what_is_no_cell_of_that_kind_is_a_mistake_of_ours() -> None:
    tally = Tally(PLACES, 7, NOON)
    with pytest.raises(TypeError, match="a LooksCell counts nobody"):
        tally.take(Received(1, 1, looks(0, 1)), LATER)
    with pytest.raises(TypeError, match="a LineCell holds no looks"):
        tally.take_looks(Received(1, 1, piece(0)))
    with pytest.raises(ValueError, match="no minute is open"):
        tally.close()
    tally.minute, tally.settled = NOON, {"line-0": ZoneSums()}
    with pytest.raises(TypeError, match="line 0 is counted as a zone"):
        tally.close()


def test_every_place_of_the_policy_is_told_in_its_order() -> None:
    book = Book(Places(2, 1))
    book.take(ZoneCell(0, NOON, 60, True, 2, 30, 2, 500, 60_000, Quality.GOOD))
    book.take(piece(0, line=1))
    assert book.told == []
    book.take(piece(0))
    (minute,) = book.told
    assert list(minute.sums) == ["line-0", "line-1", "zone-0"]
    assert minute.sums["zone-0"] == ZoneSums(2, 30, 2, 30_000, 60_000, 0)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        pytest.param(piece(0, line=1), "does not have", id="another line"),
        pytest.param(piece(0, line=65_535), "does not have", id="a line far off"),
        pytest.param(piece(30, 60), "one piece of one minute", id="over the minute"),
        pytest.param(piece(0, 86_400), "one piece of one minute", id="a day"),
        pytest.param(piece(0, 0, coverage_ms=0), "one piece", id="closed, no length"),
        pytest.param(piece(-NOON - 1), "one piece", id="before 1970"),
        pytest.param(piece(0, coverage_ms=60_001), "more than its time", id="coverage"),
        pytest.param(piece(0, quality=Quality(1024)), "no such flag", id="a flag"),
        pytest.param(piece(0, count_in=601), "feet", id="more than feet can do"),
        pytest.param(piece(0, count_in=300, count_out=301), "feet", id="both ways"),
        pytest.param(
            ZoneCell(0, NOON, 60, True, 0, 0, 0, 0, 0, Quality.GOOD),
            "does not have",
            id="a zone",
        ),
    ],
)
def test_what_no_door_could_have_counted_is_refused(
    cell: LineCell | ZoneCell, sentence: str
) -> None:
    book = Book()
    with pytest.raises(UntrustedError, match=sentence):
        book.take(cell)
    assert (book.tally.settled, book.tally.running, book.told) == ({}, {}, [])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"visits": 601}, id="visits"),
        pytest.param({"occupancy_max": 101}, id="people at once"),
        pytest.param({"occupancy_mean_milli": 2001}, id="a mean above the maximum"),
    ],
)
def test_a_zone_that_cannot_be_is_refused(changes: dict[str, int]) -> None:
    zone = ZoneCell(0, NOON, 60, True, 1, 2, 2, 2000, 60_000, Quality.GOOD)
    book = Book(Places(0, 1))
    with pytest.raises(UntrustedError, match="feet"):
        book.take(replace(zone, **changes))
    book.take(zone)


def test_the_tally_survives_its_text() -> None:
    book = Book(Places(1, 1))
    for start in (0, 60):
        book.take(piece(start))
        book.take(ZoneCell(0, NOON + start, 60, True, 2, 30, 2, 500, 9, Quality.DARK))
    book.take(piece(120, 20, 3, closed=False))
    book.tally.looked_until[0] = NOON
    again = tally_of(text_of(book.tally), book.tally.places)
    assert again == book.tally
    assert again.copy() == again


TURNED = [
    ("epoch", -1), ("epoch", 2**32), ("epoch", "7"), ("epoch", True), ("floor", 1.0),
    ("floor", NOON + 1), ("floor", 2**34), ("minute", NOON + 1), ("minute", "noon"),
    ("heard", [1]), ("heard", [1, -1]), ("heard", [1, 2.0]),
    ("settled", {"line-0": [1, 2, 3]}), ("settled", {"line-0": [601, 0, 0, 0]}),
    ("settled", {"line-0": [0, 601, 0, 0]}), ("settled", {"line-0": [0, 0, 60_001, 0]}),
    ("settled", {"line-0": [0, 0, 0, 1 << 20]}),
    ("settled", {"line-0": [0, 0, 0, 1, 1]}),
    ("settled", {"zone-0": [601, 0, 0, 0, 0, 0]}),
    ("settled", {"zone-0": [0, 36_001, 0, 0, 0, 0]}),
    ("settled", {"zone-0": [0, 0, 101, 0, 0, 0]}),
    ("settled", {"zone-0": [0, 0, 0, 0, 60_001, 0]}),
    ("running", {"line-0": [1, "x", [0, 0, 0, 0]]}),
    ("told", {"line-0": [-1, NOON, [0, 0, 0, 0]]}),
    ("ended", 5), ("totals", [[1]]), ("totals", [[1, 10**9]]),
    ("totals", [["1", 2]]),
    ("came_in", [[0, 1, -1]]), ("came_in", [[0, 1.5, 1]]),
    ("looked_until", [[0, None]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), TURNED, ids=str)
def test_a_number_that_none_can_be_is_damage(name: str, value: object) -> None:
    """A bit of the disk that turned; the uplink goes on with new totals."""
    book = Book(Places(1, 1))
    book.take(piece(0, 20))
    table = json.loads(text_of(book.tally))
    assert tally_of(json.dumps(table), book.tally.places) == book.tally
    table[name] = value
    with pytest.raises(UplinkError, match="the tally in the outbox is damaged"):
        tally_of(json.dumps(table), book.tally.places)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"epoch": 7}', "\x00", "null", "[" * 60_000]
)
def test_a_damaged_text_gets_a_sentence(text: str) -> None:
    with pytest.raises(UplinkError, match="the tally in the outbox is damaged"):
        tally_of(text, PLACES)


def test_a_policy_with_fewer_lines_leaves_the_others_out() -> None:
    book = Book(Places(2, 0))
    book.take(piece(0, 20, line=1))
    book.take(piece(0, 20))
    one = tally_of(text_of(book.tally), PLACES)
    assert list(one.settled) == ["line-0"]
    more = tally_of(text_of(one), Places(3, 0))
    assert more.closed_totals() == ((0, 0),) * 3


@given(
    st.lists(
        st.tuples(
            st.integers(-3, 6),  # minutes from now
            st.integers(0, 59),
            st.integers(1, 60),
            st.booleans(),
            st.integers(0, 90),
            st.integers(1, 3),
        ),
        max_size=60,
    )
)
def test_whatever_comes_minutes_are_told_once_in_order_and_within_bounds(
    story: list[tuple[int, int, int, bool, int, int]],
) -> None:
    book = Book(floor=NOON - 120)
    for step, (minute, second, length, closed, people, run) in enumerate(story):
        cell = piece(
            60 * minute + second, min(length, 60 - second), people, closed=closed
        )
        book.take(cell, run, NOON + 20.0 * step)
    starts = [report.start for report in book.told]
    assert starts == sorted(set(starts))
    assert all(start % MINUTE_S == 0 for start in starts)
    for report in book.told:
        sums = report.sums["line-0"]
        assert isinstance(sums, LineSums)
        assert sums.count_in + sums.count_out <= CROSSINGS_MOST
        assert 0 <= sums.coverage_ms <= 60_000
    totals = [report.totals[0] for report in book.told]
    assert totals == sorted(totals)
