"""Pieces are added up within the bounds of one minute, and looked at before that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doorsill.cells import HealthCell, LineCell, LooksCell, Picture, Quality, ZoneCell
from doorsill.errors import UntrustedError
from doorsill.privacy.floors import SLOT_S
from doorsill.uplink import pieces
from doorsill.uplink.pieces import (
    LineSums,
    Places,
    Sums,
    ZoneSums,
    check_health,
    check_looks,
    counts_only,
    minute_of,
    nothing_at,
    place_of,
    sums_of,
)

NOON = 1_800_000_000
PLACES = Places(2, 1)
Line, Zone = LineSums, ZoneSums
DARK = int(Quality.DARK)


def test_nothing_is_nothing() -> None:
    assert nothing_at("line-0") == LineSums() == LineSums(0, 0, 0, 0)
    assert nothing_at("zone-0") == ZoneSums() == ZoneSums(0, 0, 0, 0, 0, 0)


def test_the_bounds_are_those_that_the_capacity_is_computed_from() -> None:
    assert pieces.MINUTE_S == 60
    assert pieces.CROSSINGS_MOST == 600
    assert pieces.PEOPLE_MOST == 100
    assert pieces.STAY_MOST_S == 36_000
    assert sum(each.value for each in Quality) == pieces.EVERY_QUALITY
    assert Quality(pieces.OURS) == Quality.GAP | Quality.FAULT


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        pytest.param(
            Line(1, 2, 3000, 1), Line(10, 20, 30_000, 6), Line(11, 22, 33_000, 7),
            id="a line",
        ),
        pytest.param(
            Line(590, 5), Line(20, 20), Line(600, 0), id="in leaves no room for out",
        ),
        pytest.param(Line(500, 60), Line(30, 60), Line(530, 70), id="some room"),
        pytest.param(
            Line(coverage_ms=59_999), Line(coverage_ms=2), Line(coverage_ms=60_000),
            id="a line for a minute and more",
        ),
        pytest.param(
            Zone(1, 2, 3, 4, 5, 1), Zone(10, 20, 2, 40, 50, 2),
            Zone(11, 22, 3, 44, 55, 3), id="a zone",
        ),
        pytest.param(
            Zone(occupancy_max=2), Zone(occupancy_max=5), Zone(occupancy_max=5),
            id="more at once",
        ),
        pytest.param(
            Zone(599, 35_999, 1, 0, 59_999), Zone(2, 2, 1, 0, 2),
            Zone(600, 36_000, 1, 0, 60_000), id="a zone for a minute and more",
        ),
    ],
)  # fmt: skip
def test_pieces_are_added_up_within_bounds(one: Any, other: Any, both: Sums) -> None:
    assert one.plus(other) == both


@pytest.mark.parametrize(
    ("now", "before", "new"),
    [
        pytest.param(
            Line(9, 7, 50, 3), Line(4, 2, 20, 1), Line(5, 5, 30, 3), id="a line"
        ),
        pytest.param(Line(1, 1, 1), Line(2, 3, 4), Line(), id="a line that shrank"),
        pytest.param(
            Zone(9, 8, 4, 60, 50, 3),
            Zone(1, 2, 3, 10, 20, 1),
            Zone(8, 6, 4, 50, 30, 3),
            id="a zone",
        ),
        pytest.param(
            Zone(1, 1, 1, 1, 1),
            Zone(2, 3, 4, 5, 6),
            Zone(occupancy_max=1),
            id="a zone that shrank",
        ),
    ],
)
def test_what_is_new_since_an_earlier_account(now: Any, before: Any, new: Sums) -> None:
    assert now.minus(before) == new


def test_in_another_minute_people_count_and_time_does_not() -> None:
    assert counts_only(Line(1, 2, 3, 1), Quality.CLOCK) == Line(
        1, 2, 0, 1 | Quality.CLOCK
    )
    assert counts_only(Zone(1, 2, 3, 4, 5, 1), Quality.CLOCK) == Zone(
        1, 2, 3, 0, 0, 1 | Quality.CLOCK
    )


def test_what_a_power_cut_must_not_take() -> None:
    assert Line(1, 2, 3, 4).counts == (1, 2)
    assert Zone(1, 2, 3, 4, 5, 6).counts == (1, 3)


@pytest.mark.parametrize(
    ("time", "minute"), [(0, 0), (59.9, 0), (60, 60), (119, 60), (NOON + 61, NOON + 60)]
)
def test_a_minute_begins_at_its_second_0(time: float, minute: int) -> None:
    assert minute_of(time) == minute


def line(**changes: Any) -> LineCell:
    whole = LineCell(1, NOON, 60, True, 400, 200, 60_000, Quality.DARK)
    return replace(whole, **changes)


def zone(**changes: Any) -> ZoneCell:
    whole = ZoneCell(0, NOON, 60, True, 600, 0, 100, 100_000, 60_000, Quality.GOOD)
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("cell", "sums"),
    [
        pytest.param(line(), Line(400, 200, 60_000, DARK), id="as much as feet can do"),
        pytest.param(
            line(start=0, duration_s=1, coverage_ms=1000),
            Line(400, 200, 1000, DARK),
            id="the first second of 1970",
        ),
        pytest.param(
            line(closed=False, duration_s=0, coverage_ms=0),
            Line(400, 200, 0, DARK),
            id="a piece that begins",
        ),
        pytest.param(
            line(quality=Quality.GAP | Quality.FAULT | Quality.DARK),
            Line(400, 200, 60_000, DARK),
            id="gap and fault are for us to say",
        ),
        pytest.param(zone(), Zone(600, 0, 100, 6_000_000, 60_000), id="a full zone"),
        pytest.param(
            zone(dwell_s=36_001, quality=Quality.GAP | Quality.DARK),
            Zone(600, 36_000, 100, 6_000_000, 60_000, DARK),
            id="all who stayed long",
        ),
        pytest.param(
            zone(occupancy_mean_milli=1999, coverage_ms=500),
            Zone(600, 0, 100, 999, 500),
            id="half a second",
        ),
    ],
)
def test_what_a_door_can_count_is_taken_as_it_is(
    cell: LineCell | ZoneCell, sums: Sums
) -> None:
    assert sums_of(cell, PLACES) == sums


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        pytest.param(line(line=2), "does not have", id="one line too many"),
        pytest.param(zone(zone=1), "does not have", id="one zone too many"),
        pytest.param(line(start=-1, duration_s=1), "one piece", id="before 1970"),
        pytest.param(line(duration_s=61), "one piece", id="61 seconds"),
        pytest.param(line(start=NOON + 1), "one piece", id="into the next minute"),
        pytest.param(line(duration_s=0, coverage_ms=0), "one piece", id="no time"),
        pytest.param(line(coverage_ms=60_001), "more than its time", id="more time"),
        pytest.param(line(quality=Quality(1024)), "no such flag", id="a flag"),
        pytest.param(line(count_in=401), "feet", id="one crossing too many"),
        pytest.param(zone(visits=601), "feet", id="one visit too many"),
        pytest.param(
            zone(occupancy_max=101, occupancy_mean_milli=0), "feet", id="101 at once"
        ),
        pytest.param(zone(occupancy_mean_milli=100_001), "feet", id="a mean too high"),
    ],
)
def test_one_more_than_a_door_can_count_is_refused(
    cell: LineCell | ZoneCell, sentence: str
) -> None:
    with pytest.raises(UntrustedError, match=sentence):
        sums_of(cell, PLACES)


def test_places_are_named_in_the_order_in_which_they_are_told() -> None:
    assert PLACES.names == ("line-0", "line-1", "zone-0")
    assert (place_of(line()), place_of(zone())) == ("line-1", "zone-0")


def looks(start: int, end: int, index: int = 0) -> LooksCell:
    return LooksCell(index, start, end, (0, 10, 0), (10, 0, 0))


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(looks(0, SLOT_S), id="the first slot of 1970"),
        pytest.param(looks(SLOT_S, 3 * SLOT_S, 1), id="two slots of the last line"),
    ],
)
def test_looks_of_whole_slots_are_taken(cell: LooksCell) -> None:
    assert check_looks(cell, PLACES) == cell


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        pytest.param(looks(0, SLOT_S, 2), "does not have", id="another line"),
        pytest.param(looks(-SLOT_S, SLOT_S), "whole slots", id="before 1970"),
        pytest.param(looks(SLOT_S, SLOT_S), "whole slots", id="no time"),
        pytest.param(looks(2 * SLOT_S, SLOT_S), "whole slots", id="backwards"),
        pytest.param(looks(60, SLOT_S), "whole slots", id="a late beginning"),
        pytest.param(looks(0, SLOT_S - 60), "whole slots", id="an early end"),
    ],
)
def test_looks_of_anything_else_are_refused(cell: LooksCell, sentence: str) -> None:
    with pytest.raises(UntrustedError, match=sentence):
        check_looks(cell, PLACES)


def test_health_has_one_of_our_words_for_the_picture() -> None:
    cell = HealthCell(NOON, 1, 0, 12_500, 1, 1, 1, 0)
    for picture in Picture:
        known = replace(cell, picture=picture)
        assert check_health(known) == known
    with pytest.raises(UntrustedError, match="a word for the picture that is none"):
        check_health(replace(cell, picture=len(Picture)))
