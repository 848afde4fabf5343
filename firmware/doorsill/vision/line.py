"""Count who goes over a directed line, by what each track did in the end.

              left                     a  the foot was last clear of the band
                 a . .                 b  clear again: the step a-b is looked at
        ~~~~~~~~~~~~~~~~.~~~~~  band   so nothing that happens in the band counts,
    p0 ----------------------> p1      and a step around p0 or p1 is no crossing
        ~~~~~~~~~~~~~~~~~~.~~~
                          b . c        each step over the line moves the track's
              right                    level by +1 (left to right) or -1

*Late count.* A level that is not nought is booked as a crossing when the track ends,
when the foot has been past the line for ``HOLD_S`` and is ``CLEAR`` body widths from
it, or ``CLEAR_IN_CROWD`` where others come the other way (unless an exclusion polygon
may still take the track back), or ``SETTLE_S`` after it left the line's neighbourhood,
whichever comes first; who turns back before that has brought the level back to nought
and is not counted. What is booked is never taken back: who returns later has gone in
*and* out. In all cases ``in - out`` is the net change of side.

*Swapped ids.* In a crowd two who meet may swap their ids, and each track seems to turn
back. Where two tracks turn back at one place and time, in opposite ways, both people
are taken to have walked on, and a level that comes back to nought is booked each way.

*Broken ids.* A track that ends near the line leaves where it was last clear of the
band; a confirmed track born there within four seconds starts from that point, not from
its own (see ``handover``). Where nobody goes on, the side on which it was last seen
is believed.

Unconfirmed tracks and tracks that start or end in an exclusion polygon never count.
Nothing about a track outlives it, but for the four seconds of a hand-over.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from doorsill.values import Crossing, Direction, Tracks
from doorsill.vision.geometry import (
    Point,
    Segments,
    crossings,
    from_fractions,
    inside,
)
from doorsill.vision.handover import HANDOVER_S, LooseEnds, Spot

BAND = 0.25  # body widths to each side of the line, about 12 cm
CLEAR = 4.0  # body widths from the line after which a crossing is past doubt,
CLEAR_IN_CROWD = 1.4  # and with others coming the other way within
CROWD = 1.2  # body widths, with whom an id may be swapped before that
HOLD_S = 0.6
SETTLE_S = 8.0
AT_LINE = 1.0  # body widths from the line within which somebody has not left it
TRAIL_S, TRAIL = 0.15, 40  # spacing and length of a path's trail
NEAR = 3.0  # body widths from the line within which a broken id is handed over
MEET = 1.6  # body widths apart within which two may swap their ids
TURN_S, TURN = 0.7, 0.3  # how long before and after, and body widths at least
BRISK = 0.8  # body widths that who swapped an id goes to and fro meanwhile
DECIDED_WITHIN_S = SETTLE_S + 4.0  # no crossing is told later than this
DEFAULT_ASPECT = 4 / 3


@dataclass(slots=True)
class _Leg:
    """One track at one line."""

    anchor: Point  # where the foot was last clear of the band, or born
    level: int = 0
    since: float = 0.0  # when the level last changed
    left: float = 0.0  # when the foot was last at the line
    clear: bool = False  # whether it has ever been clear of the band
    near: bool = False  # whether it was last seen near the line


@dataclass(slots=True)
class _Path:
    """One live track: where it began, where it was last seen, a leg for each line."""

    birth: Spot
    last: Spot
    trail: deque[tuple[float, Point]]  # of the last few seconds, for turns and speed
    legs: list[_Leg]
    excluded: bool
    confirmed: bool = False
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
        """The spot of the trail that is nearest to ``time``."""
        return min(self.trail, key=lambda spot: abs(spot[0] - time))

    def turn(self, time: float, way: Point) -> tuple[float, float]:
        """The steps before and after ``time``, times how far they go along ``way``."""
        at = self.where(time)[1]
        before, after = self.where(time - TURN_S)[1], self.where(time + TURN_S)[1]
        return _along(before, at, way), _along(at, after, way)


@dataclass(frozen=True, slots=True)
class _Broken:
    """What a path that ended near a line leaves, until claimed or settled."""

    track: int
    end: Point
    time: float
    anchors: tuple[Point | None, ...]  # None where the path was not near that line
    excluded: bool


@dataclass(slots=True)
class LineCounter:
    """Tracks in, crossings out; call once per frame, also when nobody is there.

    ``lines`` are poly-lines of two or more points, ``exclude`` polygons, both in
    fractions of the picture; ``aspect`` is its width over its height.
    """

    lines: Sequence[Sequence[Point]]
    exclude: Sequence[Sequence[Point]] = ()
    aspect: float = DEFAULT_ASPECT
    _segments: Segments = field(init=False)
    _paths: dict[int, _Path] = field(init=False, default_factory=dict)
    _broken: LooseEnds[_Broken] = field(init=False, default_factory=LooseEnds)

    def __post_init__(self) -> None:
        self.lines = [from_fractions(line, self.aspect) for line in self.lines]
        self.exclude = [from_fractions(area, self.aspect) for area in self.exclude]
        if self.lines:
            self._segments = Segments(self.lines)

    def __len__(self) -> int:
        """How many people something is known about: live tracks and loose ends."""
        return len(self._paths) + len(self._broken)

    def update(self, tracks: Tracks, now: float) -> list[Crossing]:
        """The crossings that are decided at ``now`` (monotonic seconds)."""
        found: list[Crossing] = []
        if not self.lines:
            return found
        ids = tracks.ids.tolist()
        if ids:
            self._follow(ids, tracks, now, found)
        if len(self._paths) > len(ids) or tracks.ended:
            alive = set(ids)
            for track in [each for each in self._paths if each not in alive]:
                self._end(track, now, found)
        for broken in self._broken.expire(now):
            self._settle(broken, found)
        return found

    def _follow(
        self, ids: list[int], tracks: Tracks, now: float, found: list[Crossing]
    ) -> None:
        boxes = tracks.boxes.astype(np.float64)
        x = tracks.feet[:, 0].astype(np.float64) * self.aspect
        y = tracks.feet[:, 1].astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2]
        width = np.minimum(sides[:, 0] * self.aspect, sides[:, 1])
        far = self._segments.distances(x, y).tolist()
        rows = zip(
            ids,
            tracks.detection.tolist(),
            tracks.confirmed.tolist(),
            zip(x.tolist(), y.tolist(), strict=True),
            width.tolist(),
            far,
            strict=True,
        )
        for track, detection, confirmed, foot, wide, squared in rows:
            path = self._paths.get(track)
            if path is None:
                path = self._paths[track] = self._begin(Spot(now, foot, wide))
            elif detection >= 0:
                path.see(Spot(now, foot, wide))
            if detection >= 0:
                self._step(track, path, squared, found)
            if confirmed and not path.confirmed:
                path.confirmed = True
                self._take_over(path)
            if confirmed and not path.excluded:
                self._book(track, path, squared, now, found)

    def _begin(self, birth: Spot) -> _Path:
        legs = [_Leg(birth.at) for _ in self.lines]
        trail = deque([(birth.time, birth.at)], TRAIL)
        return _Path(birth, birth, trail, legs, self._excludes(birth.at))

    def _excludes(self, point: Point) -> bool:
        return any(inside(area, point) for area in self.exclude)

    def _step(
        self, track: int, path: _Path, squared: list[float], found: list[Crossing]
    ) -> None:
        foot, wide = path.last.at, path.last.width
        band, near = (BAND * wide) ** 2, (NEAR * wide) ** 2
        for index, leg in enumerate(path.legs):
            leg.near = squared[index] < near
            if squared[index] <= band:
                continue
            moved = crossings(self.lines[index], leg.anchor, foot)
            if moved:
                if leg.level * moved < 0 and self._mirrored(path, leg, wide):
                    _count(index, leg.level, leg.since, track, found)
                    leg.level = 0
                leg.level += moved
                leg.since = leg.left = path.last.time
            leg.anchor = foot
            leg.clear = True

    def _mirrored(self, path: _Path, leg: _Leg, wide: float) -> bool:
        """Whether this turn back is two people who swapped their ids as they met.

        Then somebody else turned back at the same place and time the other way round.
        Both really walked on, so what went over the line stays counted.
        """
        start, end = path.where(leg.since)[1], path.last.at
        turn, at = max(
            (spot for spot in path.trail if spot[0] >= leg.since),
            key=lambda spot: _apart(spot[1], start) + _apart(spot[1], end),
            default=(leg.since, start),
        )
        ahead = (2 * at[0] - start[0] - end[0], 2 * at[1] - start[1] - end[1])
        length = max(_apart(ahead, (0.0, 0.0)), 1e-6)
        coming, going = path.turn(turn, ahead)
        if coming - going < BRISK * wide * length:
            return False
        for other in self._paths.values():
            when, there = other.where(turn)
            if other is path or not other.confirmed or abs(when - turn) > TURN_S / 2:
                continue
            coming, going = other.turn(when, ahead)
            turned = coming < 0 < going and going - coming > TURN * wide * length
            if turned and _apart(there, at) <= MEET * wide:
                return True
        return False

    def _book(
        self,
        track: int,
        path: _Path,
        squared: list[float],
        now: float,
        found: list[Crossing],
    ) -> None:
        at_line = (AT_LINE * path.last.width) ** 2
        for index, leg in enumerate(path.legs):
            if not leg.level:
                continue
            if squared[index] < at_line:
                leg.left = now
            held = now - leg.since >= HOLD_S and not self.exclude
            if now - leg.left >= SETTLE_S or (
                held and self._is_clear(path, squared[index])
            ):
                since = max(leg.since, now - DECIDED_WITHIN_S)
                _count(index, leg.level, since, track, found)
                leg.level = 0

    def _is_clear(self, path: _Path, squared: float) -> bool:
        """Whether somebody is so far from a line that they will not turn back."""
        wide = path.last.width
        if squared <= (CLEAR_IN_CROWD * wide) ** 2:
            return False
        return squared > (CLEAR * wide) ** 2 or self._meets(path)

    def _meets(self, path: _Path) -> bool:
        """Whether somebody near comes the other way, so that ids may be swapped."""
        (x, y), wide, way = path.last.at, path.last.width, path.speed
        for other in self._paths.values():
            near = _apart(other.last.at, (x, y)) < CROWD * wide
            if near and other.confirmed and other is not path:
                come = other.speed
                if come[0] * way[0] + come[1] * way[1] < 0:
                    return True
        return False

    def _take_over(self, path: _Path) -> None:
        """A newly confirmed track goes on where a broken one was lost."""
        broken = self._broken.claim(path.birth)
        if broken is not None:
            self._inherit(path, broken)

    def _inherit(self, path: _Path, broken: _Broken) -> None:
        path.inherited = True
        path.excluded = path.excluded or broken.excluded
        for leg, line, anchor in zip(
            path.legs, self.lines, broken.anchors, strict=True
        ):
            if anchor is None:
                continue
            if leg.clear:
                moved = crossings(line, anchor, path.birth.at)
                leg.level += moved
                leg.since = path.birth.time if moved else leg.since
                leg.left = leg.since
            else:
                leg.anchor, leg.clear = anchor, True

    def _end(self, track: int, now: float, found: list[Crossing]) -> None:
        path = self._paths.pop(track)
        if not path.confirmed:
            return
        path.excluded = path.excluded or self._excludes(path.last.at)
        if not path.excluded:
            for index, leg in enumerate(path.legs):
                since = max(leg.since, now - DECIDED_WITHIN_S)
                _count(index, leg.level, since, track, found)
        anchors = tuple(
            leg.anchor if leg.near and leg.clear else None for leg in path.legs
        )
        if path.excluded or any(anchor is not None for anchor in anchors):
            left = _Broken(track, path.last.at, path.last.time, anchors, path.excluded)
            self._leave(path, left, now, found)

    def _leave(
        self, path: _Path, left: _Broken, now: float, found: list[Crossing]
    ) -> None:
        heir = self._heir(path)
        if heir is not None:
            self._inherit(heir, left)
        elif now - path.last.time <= HANDOVER_S:
            for overdue in self._broken.leave(path.last, path.speed, left):
                self._settle(overdue, found)
        else:
            self._settle(left, found)

    def _heir(self, lost: _Path) -> _Path | None:
        """The live track that began where this one was lost, while it coasted."""
        nearest: tuple[float, _Path] | None = None
        speed = lost.speed
        for path in self._paths.values():
            if not path.confirmed or path.inherited:
                continue
            distance = lost.last.reaches(path.birth, speed)
            if distance is not None and (nearest is None or distance < nearest[0]):
                nearest = (distance, path)
        return None if nearest is None else nearest[1]

    def _settle(self, broken: _Broken, found: list[Crossing]) -> None:
        """Nobody went on: believe the side on which the person was last seen."""
        if broken.excluded:
            return
        for index, anchor in enumerate(broken.anchors):
            if anchor is not None:
                moved = crossings(self.lines[index], anchor, broken.end)
                _count(index, moved, broken.time, broken.track, found)


def _count(
    line: int, level: int, since: float, track: int, found: list[Crossing]
) -> None:
    direction = Direction.IN if level > 0 else Direction.OUT
    found.extend([Crossing(line, direction, since, track)] * abs(level))


def _apart(one: Point, other: Point) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])


def _along(start: Point, end: Point, way: Point) -> float:
    """The step from start to end, times how far it goes along ``way``."""
    return (end[0] - start[0]) * way[0] + (end[1] - start[1]) * way[1]
