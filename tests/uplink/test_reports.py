"""What is reported of a minute, and that nobody's stay can be read from it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.cells import HealthCell, Quality, ZoneCell
from doorsill.channels.cell_link import Received
from doorsill.uplink.pieces import LineSums, Places, ZoneSums
from doorsill.uplink.reports import Release, entries_of, interval_of, quality_of
from doorsill.uplink.retained import UplinkHealth, gauges_of, health_of
from doorsill.uplink.tally import Minute, Tally
from doorsill.values import Tracks
from doorsill.vision.count.zone import ZoneCounter
from doorsill.vision.window import WindowKeeper
from doorsill.wire.codec import encode
from doorsill.wire.messages import LineInterval, ZoneInterval

NOON = 1_200_000_000 - 1_200_000_000 % 3600
RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)
K = 10
STEP_S = 0.08  # between two frames

Stays = list[tuple[float, float]]  # from, for how long, s of the minute


def told(stays: Stays) -> ZoneInterval:
    """The message of a minute, through the real counters of vision and uplink."""
    square = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    zone, keeper = ZoneCounter([square], 1.0), WindowKeeper(0, 0.0, NOON)
    cells = []
    for step in range(round(61 / STEP_S)):
        now = step * STEP_S
        zone.update(people(stays, now), now)
        keeper.take_frame(now, Quality.GOOD)
        cells += keeper.tick(now, NOON + now, zone.totals)
    tally, minutes = Tally(Places(0, 1), 7, NOON), list[Minute]()
    for number, cell in enumerate(cells, 1):
        minutes += tally.take(Received(1, number, cell), NOON + 3600.0)
    message = interval_of(minutes[0], "zone-0", RELEASE, K)
    assert isinstance(message, ZoneInterval)
    return message


def people(stays: Stays, now: float) -> Tracks:
    there = [i for i, (start, stay) in enumerate(stays) if start <= now < start + stay]
    n = len(there)
    return Tracks(
        np.array(there, np.int64) + 7,
        np.zeros((n, 4), np.float32),
        np.full((n, 2), 0.5, np.float32),
        np.zeros(n, np.intp),
        np.ones(n, bool),
    )


def visits(dice: random.Random, count: int) -> Stays:
    """So many people who come and leave within the minute, one alone or together."""
    found = []
    for _ in range(count):
        stay = dice.uniform(2.0, 45.0)
        found.append((dice.uniform(0.5, 56.0 - stay), stay))
    return found


@pytest.mark.parametrize("count", [1, 2, 5, K - 1])
@pytest.mark.parametrize("seed", range(3))
def test_two_histories_that_differ_in_one_persons_stay_give_one_message(
    count: int, seed: int
) -> None:
    """To the byte: no field of it follows from how long anybody stayed."""
    dice = random.Random(100 * count + seed)
    one = visits(dice, count)
    other = [*one[:-1], *visits(dice, 1)]
    assert encode(told(one)) == encode(told(other))


def test_negative_control_vision_tells_the_two_apart() -> None:
    """The stay is in the cell: it is the uplink that keeps it back."""
    cells = [
        ZoneCell(0, NOON, 60, True, 1, stay, 1, 1000 * stay // 60, 60_000, Quality.GOOD)
        for stay in (4, 40)
    ]
    assert cells[0].occupancy_mean_milli * 60 // 1000 == pytest.approx(4, abs=1)
    assert cells[0] != cells[1]


def test_how_long_something_moved_is_in_no_gauge() -> None:
    """In a minute in which one person came, ``gated`` is how long he stayed."""
    still = HealthCell(NOON, 750, 700, 12_500, 9_000, 4_000, 80_000, 0)
    moving = replace(still, gated=100)
    assert gauges_of(still, 0) == gauges_of(moving, 0)
    own = UplinkHealth()
    told = [
        health_of(gauges_of(each, 0), own, RELEASE, NOON) for each in (still, moving)
    ]
    assert encode(told[0]) == encode(told[1])
    assert not hasattr(told[0], "gated")


def test_of_k_visits_the_three_are_told_together_and_rounded() -> None:
    message = told(visits(random.Random(7), 30))
    assert message.visits == 30
    assert None not in (
        message.dwell_s,
        message.occupancy_max,
        message.occupancy_mean_milli,
    )


@given(
    st.integers(0, 600),
    st.integers(0, 36_000),
    st.integers(0, 100),
    st.integers(0, 600),
)
def test_dwell_mean_and_maximum_follow_one_rule(
    count: int, dwell_s: int, most: int, presence_s: int
) -> None:
    sums = ZoneSums(count, dwell_s, most, 1000 * presence_s, 60_000)
    message = interval_of(Minute(NOON, 7, {"zone-0": sums}, ()), "zone-0", RELEASE, K)
    assert isinstance(message, ZoneInterval)
    stays = message.dwell_s, message.occupancy_max, message.occupancy_mean_milli
    assert [each is None for each in stays] == [count < K] * 3
    if count >= K:
        assert message.occupancy_max is not None
        assert message.occupancy_mean_milli is not None
        assert message.occupancy_mean_milli <= 1000 * message.occupancy_max


@pytest.mark.parametrize("k", [0, 1, 9, 10])
def test_no_file_lowers_the_k_of_a_zone(k: int) -> None:
    minute = Minute(NOON, 7, {"zone-0": ZoneSums(9, 90, 2, 0, 60_000)}, ())
    message = interval_of(minute, "zone-0", RELEASE, k)
    assert isinstance(message, ZoneInterval) and message.dwell_s is None


@pytest.mark.parametrize(
    ("coverage_ms", "quality", "words"),
    [
        pytest.param(60_000, Quality.GOOD, (), id="a whole minute"),
        pytest.param(59_500, Quality.GOOD, (), id="but for half a frame"),
        pytest.param(59_499, Quality.GOOD, ("gap",), id="but for a second"),
        pytest.param(0, Quality.CLOSED, ("gap", "closed"), id="shut"),
        pytest.param(0, Quality.GOOD, ("gap",), id="no camera"),
        pytest.param(30_000, Quality.DARK, ("dark", "gap"), id="dark for a half"),
    ],
)
def test_a_window_that_is_not_covered_whole_always_carries_gap(
    coverage_ms: int, quality: Quality, words: tuple[str, ...]
) -> None:
    sums = LineSums(1, 2, coverage_ms, int(quality))
    minute = Minute(NOON, 7, {"line-0": sums}, ((5, 6),))
    message = interval_of(minute, "line-0", RELEASE, K)
    assert isinstance(message, LineInterval)
    assert message.quality == words
    assert message.coverage_s == round(coverage_ms / 1000)
    assert (Quality.GAP in quality_of(sums)) == ("gap" in words)


def test_a_minute_becomes_a_row_for_each_place_in_the_order_of_the_policy() -> None:
    sums = {"line-0": LineSums(3, 2), "line-1": LineSums(), "zone-0": ZoneSums()}
    rows = entries_of(Minute(NOON, 7, sums, ((5, 6), (7, 8))), RELEASE, K)
    assert [row.event for row in rows] == [f"{each}:7:{NOON}" for each in sums]
    assert b'"total_in":5' in rows[0].payload and b'"total_in":7' in rows[1].payload
