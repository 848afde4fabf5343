"""What is known of one live track: where it began, where it went, a leg for each line.

birth . . . trail . . . last          the trail keeps a spot every TRAIL_S for a
  |                      |            few seconds, enough to see how fast somebody
leg.anchor ---------> leg.anchor      walks and whether they turned back
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doorsill.vision.count.loose_ends import Spot, turns
from doorsill.vision.geometry import Point, crossings

TRAIL_S, TRAIL = 0.15, 40  # spacing and length of a path's trail
TURN_S = 0.7  # how long before and after a turn is looked at


@dataclass(slots=True)
class Leg:
    """One track at one line."""

    anchor: Point  # where the foot was last clear of the band, or born
    level: int = 0
    since: float = 0.0  # when the level last changed
    left: float = 0.0  # when the foot was last at the line
    clear: bool = False  # whether it has ever been clear of the band
    near: bool = False  # whether it was last seen near the line


@dataclass(frozen=True, slots=True)
class Broken:
    """What a path that ended near a line leaves, until claimed or settled."""

    track: int
    end: Point
    time: float
    anchors: tuple[Point | None, ...]  # None where the path was not near that line
    levels: tuple[tuple[int, float], ...]  # what is not yet booked, and since when
    excluded: bool


@dataclass(slots=True)
class Path:
    """One live track: where it began, where it was last seen, a leg for each line."""

    birth: Spot
    last: Spot
    trail: deque[tuple[float, Point]]  # of the last few seconds, for turns and speed
    legs: list[Leg]
    excluded: bool
    confirmed: bool = False
    entered: bool = False  # at the edge of the picture
    inherited: bool = False  # what a broken track left is taken up once

    def see(self, spot: Spot) -> None:
        """The person was seen again."""
        self.last = spot
        if spot.time - self.trail[-1][0] >= TRAIL_S:
            self.trail.append((spot.time, spot.at))

    @property
    def speed(self) -> Point:
        """Over the last half second or so, picture heights a second."""
        then, at = self.where(self.last.time - 0.5)
        seconds = max(self.last.time - then, 0.3)
        return (self.last.at[0] - at[0]) / seconds, (self.last.at[1] - at[1]) / seconds

    def where(self, time: float) -> tuple[float, Point]:
        """The spot of the trail that is nearest to ``time``, seldom long ago."""
        after = self.trail[-1]
        for spot in reversed(self.trail):
            if spot[0] <= time:
                return spot if time - spot[0] <= after[0] - time else after
            after = spot
        return after

    def turn(self, time: float, way: Point) -> tuple[float, float]:
        """The steps before and after ``time``, times how far they go along ``way``."""
        at = self.where(time)[1]
        before, after = self.where(time - TURN_S)[1], self.where(time + TURN_S)[1]
        return along(before, at, way), along(at, after, way)

    def inherit(self, broken: Broken, lines: Sequence[Sequence[Point]]) -> None:
        """Go on where a broken track was lost."""
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
                moved = crossings(line, anchor, self.birth.at)
                leg.level += moved
                if moved:
                    leg.since = leg.left = self.birth.time
            else:
                leg.anchor, leg.clear = anchor, True


def begin(birth: Spot, lines: int, excluded: bool) -> Path:
    """The path of a new track, with a leg for each line."""
    legs = [Leg(birth.at) for _ in range(lines)]
    trail = deque([(birth.time, birth.at)], TRAIL)
    return Path(birth, birth, trail, legs, excluded)


def heir(lost: Path, others: Iterable[Path]) -> Path | None:
    """The live track that began where this one was lost, while it coasted."""
    nearest: tuple[float, Path] | None = None
    speed = lost.speed
    for path in others:
        if not path.confirmed or path.inherited or path.entered:
            continue
        if turns(speed, path.speed, lost.last.width):
            continue
        distance = lost.last.reaches(path.birth, speed)
        if distance is not None and (nearest is None or distance < nearest[0]):
            nearest = (distance, path)
    return None if nearest is None else nearest[1]


def apart(one: Point, other: Point) -> float:
    """Picture heights between two points."""
    return math.hypot(one[0] - other[0], one[1] - other[1])


def along(start: Point, end: Point, way: Point) -> float:
    """The step from start to end, times how far it goes along ``way``."""
    return (end[0] - start[0]) * way[0] + (end[1] - start[1]) * way[1]
