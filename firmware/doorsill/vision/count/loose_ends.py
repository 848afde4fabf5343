"""Loose ends: what a track that broke leaves for the track that goes on in its place.

A tracker loses somebody in a crowd and finds the same person half a second later
under a new id. The new track may take up what the old one left. Only time and place
decide; nobody is recognised. What no track takes up within ``HANDOVER_S`` is given
back once, to be settled, and forgotten.

         x - - - - - +           x  last seen, + where it would be by now
        (  born here  )          at its speed: a birth within reach of any point
         ` - - - - - '           between the two goes on
"""

from __future__ import annotations

import math
from typing import Generic, NamedTuple, TypeVar

from doorsill.vision.geometry import Point

HANDOVER_S = 2.5  # time in which a new track may go on where another one broke
BIRTH_REACH = 0.6  # from the way of a broken track to a birth, at first, body widths
BIRTH_REACH_GAIN = 0.2  # growth of that reach, body widths a second
BIRTH_REACH_LIMIT = 1.0  # that reach at most, body widths
ENTRY_MARGIN = 0.2  # who begins this near to the picture's edge comes in, body widths
LOOSE_ENDS_LIMIT = 64  # loose ends kept at most
BRISK_SPEED = 0.8  # nobody this fast turns round unseen, body widths a second

Left = TypeVar("Left")


def are_opposite(before: Point, after: Point, width: float) -> bool:
    """Whether two speeds are brisk and opposite: they are those of two people.

    Speeds are in picture heights a second, the body's ``width`` in picture heights.
    """
    brisk = BRISK_SPEED * width
    return before[0] * after[0] + before[1] * after[1] < -brisk * brisk


class LastSeen(NamedTuple):  # made for everybody in every frame
    """When and where somebody was seen, in picture heights."""

    time: float  # monotonic s
    at: Point  # of the foot
    head: Point  # of the top of the head, which is seen better
    width: float  # of the body

    def reach(self, birth: LastSeen, speed: Point) -> float | None:
        """How far a track's birth is from the way on, in body widths.

        None where it is too far or too late. ``speed`` is that of the broken track, in
        picture heights a second; the distances are those of the heads.
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
        reach = min(BIRTH_REACH + BIRTH_REACH_GAIN * gap, BIRTH_REACH_LIMIT)
        return distance if distance <= reach else None


class LooseEnds(Generic[Left]):
    """A short, bounded list of what broken tracks left."""

    def __init__(self) -> None:
        self._ends: list[tuple[LastSeen, Point, Left]] = []

    def __len__(self) -> int:
        return len(self._ends)

    def leave(self, last: LastSeen, speed: Point, left: Left) -> list[Left]:
        """Keep ``left`` for a successor; give back what no longer fits in.

        ``speed`` is that of the broken track, in picture heights a second.
        """
        self._ends.append((last, speed, left))
        overdue = self._ends[:-LOOSE_ENDS_LIMIT]
        self._ends = self._ends[-LOOSE_ENDS_LIMIT:]
        return [each for _, _, each in overdue]

    def claim(self, birth: LastSeen, speed: Point) -> Left | None:
        """What the nearest broken track left for a new one; it is given once.

        ``speed`` is that of the new track, in picture heights a second.
        """
        best: tuple[float, int] | None = None
        for row, (last, before, _) in enumerate(self._ends):
            distance = last.reach(birth, before)
            if distance is None or are_opposite(before, speed, last.width):
                continue
            if best is None or distance < best[0]:
                best = (distance, row)
        return None if best is None else self._ends.pop(best[1])[2]

    def expire(self, now: float) -> list[Left]:
        """Forget and give back what was not claimed by ``now`` (monotonic s)."""
        overdue = [left for last, _, left in self._ends if now - last.time > HANDOVER_S]
        if overdue:
            self._ends = [end for end in self._ends if now - end[0].time <= HANDOVER_S]
        return overdue
