r"""Two who meet may swap their ids: see it coming, and see that it has happened.

really        tracked          each track seems to turn back; two tracks that do so
a \   / b     a \   / b        at one place and time, in opposite ways, are taken
   \ /           ) (           for two people who walked on
b / \ a       a /   \ b
"""

from __future__ import annotations

from collections.abc import Iterable

from doorsill.vision.count.paths import TURN_S, Path, apart

CROWD = 1.2  # body widths within which an id may be swapped with who comes near
MEET = 1.6  # body widths apart within which two who turned back may have swapped
TURN = 0.3  # body widths that the other one goes to and fro at least
BRISK = 0.8  # body widths that who swapped an id goes to and fro meanwhile


def meets(path: Path, others: Iterable[Path]) -> int:
    """How many near come the other way, with whom the id may be swapped."""
    (x, y), wide, way = path.last.at, path.last.width, path.speed
    met = 0
    for other in others:
        near = apart(other.last.at, (x, y)) < CROWD * wide
        if near and other.confirmed and other is not path:
            come = other.speed
            met += come[0] * way[0] + come[1] * way[1] < 0
    return met


def mirrored(path: Path, since: float, others: Iterable[Path]) -> bool:
    """Whether a turn back after ``since`` is two people who swapped ids as they met.

    Then somebody else turned back at the same place and time the other way round.
    Both really walked on, so what went over the line stays counted.
    """
    wide = path.last.width
    start, end = path.where(since)[1], path.last.at
    turn, at = max(
        (spot for spot in path.trail if spot[0] >= since),
        key=lambda spot: apart(spot[1], start) + apart(spot[1], end),
        default=(since, start),
    )
    ahead = (2 * at[0] - start[0] - end[0], 2 * at[1] - start[1] - end[1])
    length = max(apart(ahead, (0.0, 0.0)), 1e-6)
    coming, going = path.turn(turn, ahead)
    if coming - going < BRISK * wide * length:
        return False
    for other in others:
        when, there = other.where(turn)
        if other is path or not other.confirmed or abs(when - turn) > TURN_S / 2:
            continue
        coming, going = other.turn(when, ahead)
        turned = coming < 0 < going and going - coming > TURN * wide * length
        if turned and apart(there, at) <= MEET * wide:
            return True
    return False
