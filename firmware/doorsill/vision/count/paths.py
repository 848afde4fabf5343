"""What is known of one live track: where it began, where it went, a leg for each line.

birth . . . trail . . . last          the trail keeps a place every TRAIL_S for a
  |                      |            few seconds, enough to see how fast somebody
leg.anchor ---------> leg.anchor      walks and whether they turned back

Places are in picture heights, times in monotonic seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doorsill.vision.count.loose_ends import LastSeen, are_opposite
from doorsill.vision.geometry import Point, crossings

TRAIL_S = 0.15  # least time between two places of a trail
TRAIL_LIMIT = 40  # places of a trail at most
ONE_REACH = 2.0  # between two tracks that may be of one person, body widths
TURN_S = 0.7  # a turn is judged by the steps of this long before and after it


@dataclass(slots=True)
class Leg:
    """One track at one line."""

    anchor: Point  # where the foot was last clear of the band, or else was born
    booked: int = 0  # crossings that are booked: those in less those out
    level: int = 0  # crossings that are not booked: in above 0, out below
    since: float = 0.0  # when the level last changed
    left: float = 0.0  # when the foot was last at the line
    clear: bool = False  # whether the foot has ever been clear of the band
    near: bool = False  # whether the foot was last seen near the line

    def step(self, moved: int, now: float) -> None:
        """Take in a step over the line, or several; 0 is none."""
        if moved:
            self.level += moved
            self.since = self.left = now

    def book(self) -> int:
        """Take the level as booked; gives it."""
        level, self.level = self.level, 0
        self.booked += level
        return level


@dataclass(frozen=True, slots=True)
class Broken:
    """What a path that ended near a line leaves, until claimed or settled."""

    track: int
    end: Point  # where the foot was last seen
    time: float  # when it was last seen
    anchors: tuple[Point | None, ...]  # None where the path was not near that line
    levels: tuple[tuple[int, float], ...]  # what is not yet booked, and since when
    excluded: bool  # whether it began or ended in an exclusion polygon


@dataclass(slots=True)
class Path:
    """One live track: where it began, where it was last seen, a leg for each line."""

    birth: LastSeen
    last: LastSeen
    trail: deque[tuple[float, Point]]  # of the last few seconds, for turns and speed
    legs: list[Leg]
    excluded: bool  # whether it began or ended in an exclusion polygon
    confirmed: bool = False
    entered: bool = False  # whether it began at the edge of the picture
    inherited: bool = False  # whether it has taken up what a broken track left

    def see(self, seen: LastSeen) -> None:
        """Take in that the person was seen again."""
        self.last = seen
        if seen.time - self.trail[-1][0] >= TRAIL_S:
            self.trail.append((seen.time, seen.at))

    @property
    def speed(self) -> Point:
        """Mean over about the last half second, in picture heights a second."""
        then, at = self.where(self.last.time - 0.5)
        seconds = max(self.last.time - then, 0.3)
        return (self.last.at[0] - at[0]) / seconds, (self.last.at[1] - at[1]) / seconds

    def where(self, time: float) -> tuple[float, Point]:
        """Time and place of the trail nearest to ``time``, searched from the end."""
        after = self.trail[-1]
        for place in reversed(self.trail):
            if place[0] <= time:
                return place if time - place[0] <= after[0] - time else after
            after = place
        return after

    def turn(self, time: float, way: Point) -> tuple[float, float]:
        """``along`` of the steps that lead to the place at ``time``, and from it."""
        at = self.where(time)[1]
        before, after = self.where(time - TURN_S)[1], self.where(time + TURN_S)[1]
        return along(before, at, way), along(at, after, way)

    def inherit(self, broken: Broken, lines: Sequence[Sequence[Point]]) -> None:
        """Go on where a broken track was lost: with its levels, from its anchors."""
        self.inherited = True
        self.excluded = self.excluded or broken.excluded
        rows = zip(self.legs, lines, broken.anchors, broken.levels, strict=True)
        for leg, line, anchor, (level, since) in rows:
            if anchor is None:
                continue
            if level:
                leg.level += level
                leg.since = leg.left = max(since, leg.since)
            if leg.clear:
                leg.step(crossings(line, anchor, self.birth.at), self.birth.time)
            else:
                leg.anchor, leg.clear = anchor, True


def begin(birth: LastSeen, lines: int, excluded: bool) -> Path:
    """The path of a new track, with a leg for each of the ``lines``."""
    legs = [Leg(birth.at) for _ in range(lines)]
    trail = deque([(birth.time, birth.at)], TRAIL_LIMIT)
    return Path(birth, birth, trail, legs, excluded)


def find_successor(lost: Path, others: Iterable[Path]) -> Path | None:
    """The live track that began where this one was lost, while it coasted.

    A track that begins after this one has ended is found by ``LooseEnds.claim``.
    """
    nearest: tuple[float, Path] | None = None
    speed = lost.speed
    for path in others:
        if not path.confirmed or path.inherited or path.entered:
            continue
        if are_opposite(speed, path.speed, lost.last.width):
            continue
        off = lost.last.reach(path.birth, speed)
        if off is not None and (nearest is None or off < nearest[0]):
            nearest = (off, path)
    return None if nearest is None else nearest[1]


def is_beside_another(path: Path, others: Iterable[Path]) -> bool:
    """Whether somebody is so near that the two may be one person, seen twice."""
    reach = ONE_REACH * path.last.width
    return any(
        other.confirmed and distance(other.last.head, path.last.head) < reach
        for other in others
    )


def distance(one: Point, other: Point) -> float:
    """Picture heights between two points."""
    return math.hypot(one[0] - other[0], one[1] - other[1])


def along(start: Point, end: Point, way: Point) -> float:
    """The dot product of the step from ``start`` to ``end`` with ``way``."""
    return (end[0] - start[0]) * way[0] + (end[1] - start[1]) * way[1]
