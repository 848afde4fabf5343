"""Loose ends: what a track that broke leaves for the track that goes on in its place.

A tracker loses somebody in a crowd and finds the same person half a second later
under a new id. The new track may take up what the old one left, judged by time and
place alone; nobody is recognised. What nobody takes up within ``HANDOVER_S`` is given
back once, to be settled, and forgotten.

         x - - - - - +           x  last seen, + where it would be by now
        (  born here  )          at its pace: a birth within reach of any point
         ` - - - - - '           between the two goes on
"""

from __future__ import annotations

import math
from typing import Generic, NamedTuple, TypeVar

from doorsill.vision.geometry import Point

HANDOVER_S = 2.5
REACH = 0.6  # body widths
DRIFT = 0.2  # body widths a second by which the reach grows, up to
REACH_LIMIT = 1.0
LIMIT = 64  # loose ends kept at most
BRISK = 0.8  # body widths a second, faster than who turns round unseen

Left = TypeVar("Left")


def turns(before: Point, after: Point, width: float) -> bool:
    """Whether somebody walked briskly one way and now the other: that is two people.

    Speeds are in picture heights a second, ``width`` is the body's.
    """
    brisk = BRISK * width
    return before[0] * after[0] + before[1] * after[1] < -brisk * brisk


class Spot(NamedTuple):  # made for everybody in every frame
    """When and where somebody was seen, in picture heights; ``width`` is the body's."""

    time: float
    at: Point  # the foot
    head: Point  # its top, which is seen better
    width: float

    def reaches(self, birth: Spot, speed: Point) -> float | None:
        """Distance of the heads in body widths, or None where it is too far or late.

        ``speed`` is in picture heights a second.
        """
        gap = birth.time - self.time
        if not 0.0 <= gap <= HANDOVER_S:
            return None
        way_x, way_y = speed[0] * gap, speed[1] * gap
        dx, dy = birth.head[0] - self.head[0], birth.head[1] - self.head[1]
        way = way_x * way_x + way_y * way_y
        share = min(1.0, max(0.0, (dx * way_x + dy * way_y) / way)) if way else 0.0
        far = math.hypot(dx - share * way_x, dy - share * way_y)
        distance = far / max(self.width, 1e-6)
        reach = min(REACH + DRIFT * gap, REACH_LIMIT)
        return distance if distance <= reach else None


class LooseEnds(Generic[Left]):
    """A short, bounded list of what broken tracks left."""

    def __init__(self) -> None:
        self._ends: list[tuple[Spot, Point, Left]] = []

    def __len__(self) -> int:
        return len(self._ends)

    def leave(self, last: Spot, speed: Point, left: Left) -> list[Left]:
        """Keep ``left`` for an heir; give back what no longer fits in."""
        self._ends.append((last, speed, left))
        overdue = self._ends[:-LIMIT]
        self._ends = self._ends[-LIMIT:]
        return [each for _, _, each in overdue]

    def claim(self, birth: Spot, speed: Point) -> Left | None:
        """What the nearest broken track left for one born there, once.

        ``speed`` is that of the new track, in picture heights a second.
        """
        best: tuple[float, int] | None = None
        for row, (last, before, _) in enumerate(self._ends):
            distance = last.reaches(birth, before)
            if distance is None or turns(before, speed, last.width):
                continue
            if best is None or distance < best[0]:
                best = (distance, row)
        return None if best is None else self._ends.pop(best[1])[2]

    def expire(self, now: float) -> list[Left]:
        """Forget and give back what nobody claimed in time."""
        overdue = [left for last, _, left in self._ends if now - last.time > HANDOVER_S]
        if overdue:
            self._ends = [end for end in self._ends if now - end[0].time <= HANDOVER_S]
        return overdue
