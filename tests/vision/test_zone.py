"""Occupancy, visits and dwell of a zone; nothing is known of who has left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from doorsill.values import Tracks
from doorsill.vision.count.zone import ZoneCounter
from doorsill.vision.window import ZoneTotals

SQUARE = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
IN, OUT, EDGE_IN, EDGE_OUT = (0.5, 0.5), (0.1, 0.1), (0.41, 0.5), (0.39, 0.5)
STEP = 0.125

Feet = Sequence[tuple[int, tuple[float, float]]]


def tracks(feet: Feet, *, confirmed: bool = True) -> Tracks:
    n = len(feet)
    return Tracks(
        np.array([track for track, _ in feet], np.int64),
        np.zeros((n, 4), np.float32),
        np.array([foot for _, foot in feet], np.float32).reshape(n, 2),
        np.zeros(n, np.intp),
        np.full(n, confirmed),
    )


def play(*scenes: tuple[float, Feet], confirmed: bool = True) -> ZoneCounter:
    """Each scene is seconds and who stands where."""
    zones, now = ZoneCounter([SQUARE], 4 / 3), 0.0
    for seconds, feet in scenes:
        for _ in range(round(seconds / STEP)):
            zones.update(tracks(feet, confirmed=confirmed), now)
            now += STEP
    return zones


@pytest.mark.parametrize(
    ("scenes", "visits", "dwell", "most"),
    [
        pytest.param([(10, [(1, OUT)])], 0, 0, 0, id="passes by"),
        pytest.param([(10, [(1, IN)])], 0, 0, 1, id="still there: no visit yet"),
        pytest.param([(10, [(1, IN)]), (2, [])], 1, 10, 1, id="track ends"),
        pytest.param([(10, [(1, IN)]), (3, [(1, OUT)])], 1, 10, 1, id="walks out"),
        pytest.param([(0.5, [(1, IN)]), (3, [(1, OUT)])], 0, 0, 1, id="only touched"),
        pytest.param(
            [(5, [(1, IN)]), (0.5, [(1, OUT)]), (5, [(1, IN)]), (2, [])],
            1, 10, 1, id="steps out for half a second",
        ),
        pytest.param(
            [(5, [(1, IN)]), (3, [(1, OUT)]), (5, [(1, IN)]), (2, [])],
            2, 10, 1, id="leaves and comes back",
        ),
        pytest.param(
            [(6, [(1, IN), (2, IN), (3, OUT)]), (2, [])], 2, 12, 2, id="two together"
        ),
        pytest.param(
            [(STEP, [(1, EDGE_IN)]), (STEP, [(1, EDGE_OUT)])] * 40 + [(2, [])],
            1, 10, 1, id="jitters on the edge",
        ),
    ],
)  # fmt: skip
def test_a_story_comes_to_its_totals(
    scenes: list[tuple[float, Feet]], visits: int, dwell: int, most: int
) -> None:
    zones = play(*scenes)
    (found,) = zones.totals(closing=False)
    assert (found.visits, found.occupancy_max) == (visits, most)
    assert found.dwell_s == pytest.approx(dwell, abs=1)


def test_an_unconfirmed_track_is_nobody() -> None:
    zones = play((10, [(1, IN)]), confirmed=False)
    assert zones.totals(closing=False) == [ZoneTotals(0, 0, 0, 0)]


def test_the_mean_occupancy_is_weighted_by_time() -> None:
    zones = play((30, [(1, IN), (2, IN)]), (30, []))
    (found,) = zones.totals(closing=False)
    assert found.occupancy_mean_milli == pytest.approx(1000, rel=0.03)


def test_a_new_window_begins_with_who_is_there() -> None:
    zones = play((10, [(1, IN), (2, IN)]))
    zones.totals(closing=True)
    assert zones.totals(closing=False) == [ZoneTotals(0, 0, 2, 2000)]


def test_nothing_is_known_of_who_has_left() -> None:
    zones = play((5, [(1, IN), (2, IN)]), (3, []))
    assert len(zones) == 0
