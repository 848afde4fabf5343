r"""Two who meet may swap their ids: see it coming, and see that it has happened.

really        tracked          each track seems to turn back; two tracks that do so
a \   / b     a \   / b        at one place and time, in opposite ways, are taken
   \ /           ) (           for two people who walked on
b / \ a       a /   \ b

This is what the line sees of a swap, from the ways of the feet. Most swaps are undone
before, in the tracker: see ``follow/meetings.py``.
"""

from __future__ import annotations

from collections.abc import Iterable

from doorsill.vision.count.paths import TURN_S, Path, distance

SWAP_REACH = 1.2  # who comes the other way this near may swap ids, body widths
MIRROR_REACH = 1.6  # between the turns of two who swapped ids, at most, body widths
OWN_TURN = 0.8  # way to and fro of the track that turned, at least, body widths
OTHER_TURN = 0.3  # way to and fro of the other track, at least, body widths


def count_oncoming(path: Path, others: Iterable[Path]) -> int:
    """How many who are near come the other way: the id may be swapped with theirs."""
    (x, y), wide, way = path.last.at, path.last.width, path.speed
    met = 0
    for other in others:
        near = distance(other.last.at, (x, y)) < SWAP_REACH * wide
        if near and other.confirmed and other is not path:
            come = other.speed
            met += come[0] * way[0] + come[1] * way[1] < 0
    return met


def is_mirrored(path: Path, since: float, others: Iterable[Path]) -> bool:
    """Whether a turn back after ``since`` (monotonic s) is a swap of two ids.

    Then another track turned back at the same place and time the other way round.
    Both people really walked on, so what went over the line stays counted.
    """
    wide = path.last.width
    start, end = path.where(since)[1], path.last.at
    turn, at = max(
        (place for place in path.trail if place[0] >= since),
        key=lambda place: distance(place[1], start) + distance(place[1], end),
        default=(since, start),
    )
    ahead = (2 * at[0] - start[0] - end[0], 2 * at[1] - start[1] - end[1])
    length = max(distance(ahead, (0.0, 0.0)), 1e-6)
    coming, going = path.turn(turn, ahead)
    if coming - going < OWN_TURN * wide * length:
        return False
    for other in others:
        when, there = other.where(turn)
        if other is path or not other.confirmed or abs(when - turn) > TURN_S / 2:
            continue
        coming, going = other.turn(when, ahead)
        turned = coming < 0 < going and going - coming > OTHER_TURN * wide * length
        if turned and distance(there, at) <= MIRROR_REACH * wide:
            return True
    return False
