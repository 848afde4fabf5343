"""Swapped ids: who count_oncoming somebody, and whether two turns back are one swap."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from doorsill.vision.count.loose_ends import LastSeen
from doorsill.vision.count.paths import TRAIL_LIMIT, TRAIL_S, Leg, Path
from doorsill.vision.count.swaps import (
    MIRROR_REACH,
    SWAP_REACH,
    count_oncoming,
    is_mirrored,
)

WIDE = 0.1
CROSSED_S = 0.45  # when the one who turns back has gone over the line
BACK = (0.0, 0.15, 0.3, 0.15, 0.0)  # heights: there, and back again


def path(
    heights: tuple[float, ...], x: float = 0.5, late_s: float = 0.0, sure: bool = True
) -> Path:
    """Somebody seen at these heights, three spots of the trail from one to the next."""
    marks = np.arange(len(heights)) * 3
    steps = np.interp(np.arange(marks[-1] + 1), marks, heights).tolist()
    spots = [
        LastSeen(late_s + row * TRAIL_S, (x, y), (x, y - 0.2), WIDE)
        for row, y in enumerate(steps)
    ]
    trail = deque([(spot.time, spot.at) for spot in spots], TRAIL_LIMIT)
    leg = Leg(spots[0].at)
    return Path(spots[0], spots[-1], trail, [leg], excluded=False, confirmed=sure)


def upside_down(heights: tuple[float, ...], top: float = 0.65) -> tuple[float, ...]:
    return tuple(top - each for each in heights)


SHAKES = (0.31, 0.3, 0.3, 0.3, 0.31)


@pytest.mark.parametrize(
    ("other", "swapped"),
    [
        pytest.param(path(upside_down(BACK)), True, id="turns the other way round"),
        pytest.param(path(BACK, x=0.55), False, id="turns back as well: a pair"),
        pytest.param(path((0.7, 0.5, 0.3, 0.1, -0.1)), False, id="walks past"),
        pytest.param(path((0.3,) * 5), False, id="stands there"),
        pytest.param(path(SHAKES), False, id="shakes"),
        pytest.param(
            path(upside_down(BACK), x=0.5 + 1.1 * MIRROR_REACH * WIDE),
            False,
            id="too far off",
        ),
        pytest.param(path(upside_down(BACK), late_s=3.0), False, id="at another time"),
        pytest.param(path(upside_down(BACK), sure=False), False, id="unconfirmed"),
    ],
)
def test_two_turns_are_a_swap_where_they_mirror_each_other(
    other: Path, swapped: bool
) -> None:
    one = path(BACK)
    assert is_mirrored(one, CROSSED_S, [one, other]) is swapped


def test_who_turns_back_alone_or_hardly_moves_has_not_swapped() -> None:
    alone = path(BACK)
    assert not is_mirrored(alone, CROSSED_S, [alone])
    sways = path((0.28, 0.29, 0.3, 0.29, 0.28))
    assert not is_mirrored(sways, CROSSED_S, [sways, path(upside_down(BACK))])


UP, DOWN = (0.5, 0.3), (0.1, 0.3)


@pytest.mark.parametrize(
    ("other", "met"),
    [
        pytest.param(path(UP, x=0.55), True, id="comes the other way"),
        pytest.param(path(DOWN, x=0.55), False, id="walks beside"),
        pytest.param(
            path(UP, x=0.5 + 1.1 * SWAP_REACH * WIDE), False, id="too far off"
        ),
        pytest.param(path(UP, x=0.55, sure=False), False, id="unconfirmed"),
        pytest.param(path((0.3, 0.3), x=0.55), False, id="stands"),
    ],
)
def test_who_meets_somebody(other: Path, met: bool) -> None:
    one = path(DOWN)
    assert count_oncoming(one, [one, other]) == met
    assert count_oncoming(one, [one, other, other]) == 2 * met
