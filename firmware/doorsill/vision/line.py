"""Count who goes over a directed line, by what each track did in the end.

              left                     a  the foot was last clear of the band
                 a . .                 b  clear again: the step a-b is looked at
        ~~~~~~~~~~~~~~~~.~~~~~  band   so nothing that happens in the band counts,
    p0 ----------------------> p1      and a step around p0 or p1 is no crossing
        ~~~~~~~~~~~~~~~~~~.~~~
                          b . c        each step over the line moves the track's
              right                    level by +1 (left to right) or -1

*Late count.* A level that is not nought is booked as a crossing when the track ends,
when the foot has been past it for ``HOLD_S`` and is ``CLEAR`` body widths from the
line (unless an exclusion polygon may still take the track back), or ``SETTLE_S`` after
the step, whichever comes first; who turns back before that has brought the level back
to nought and is not counted. What is booked is never taken back: who returns later
has gone in *and* out. In all cases ``in - out`` is the net change of side.

*Broken ids.* A track that ends near the line leaves where it was last clear of the
band; a confirmed track born there within two seconds starts from that point, not from
its own (see ``handover``). Where nobody goes on, the side on which it was last seen
is believed.

Unconfirmed tracks and tracks that start or end in an exclusion polygon never count.
Nothing about a track outlives it, but for the two seconds of a hand-over.
"""

from __future__ import annotations

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
CLEAR = 2.5  # body widths from the line after which a crossing is past doubt
HOLD_S = 0.6
SETTLE_S = 8.0
NEAR = 3.0  # body widths from the line within which a broken id is handed over
DECIDED_WITHIN_S = SETTLE_S + 4.0  # a crossing is never reported later than this
DEFAULT_ASPECT = 4 / 3


@dataclass(slots=True)
class _Leg:
    """One track at one line."""

    anchor: Point  # where the foot was last clear of the band, or born
    level: int = 0
    since: float = 0.0  # when the level last changed
    clear: bool = False  # whether it has ever been clear of the band
    near: bool = False  # whether it was last seen near the line


@dataclass(slots=True)
class _Path:
    """One live track: where it began, where it was last seen, a leg for each line."""

    birth: Spot
    last: Spot
    legs: list[_Leg]
    excluded: bool
    confirmed: bool = False
    inherited: bool = False  # what a broken track left is taken up once


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
                path.last = Spot(now, foot, wide)
            if detection >= 0:
                self._step(path, squared)
            if confirmed and not path.confirmed:
                path.confirmed = True
                self._take_over(path)
            if confirmed and not path.excluded:
                self._book(track, path, squared, now, found)

    def _begin(self, birth: Spot) -> _Path:
        legs = [_Leg(birth.at) for _ in self.lines]
        return _Path(birth, birth, legs, self._excludes(birth.at))

    def _excludes(self, point: Point) -> bool:
        return any(inside(area, point) for area in self.exclude)

    def _step(self, path: _Path, squared: list[float]) -> None:
        foot, wide = path.last.at, path.last.width
        band, near = (BAND * wide) ** 2, (NEAR * wide) ** 2
        for leg, line, distance in zip(path.legs, self.lines, squared, strict=True):
            leg.near = distance < near
            if distance <= band:
                continue
            moved = crossings(line, leg.anchor, foot)
            if moved:
                leg.level += moved
                leg.since = path.last.time
            leg.anchor = foot
            leg.clear = True

    def _book(
        self,
        track: int,
        path: _Path,
        squared: list[float],
        now: float,
        found: list[Crossing],
    ) -> None:
        clear = (CLEAR * path.last.width) ** 2
        for index, leg in enumerate(path.legs):
            if not leg.level:
                continue
            past, far = now - leg.since, squared[index] > clear
            if past >= SETTLE_S or (past >= HOLD_S and far and not self.exclude):
                _count(index, leg.level, leg.since, track, found)
                leg.level = 0

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
            else:
                leg.anchor, leg.clear = anchor, True

    def _end(self, track: int, now: float, found: list[Crossing]) -> None:
        path = self._paths.pop(track)
        if not path.confirmed:
            return
        path.excluded = path.excluded or self._excludes(path.last.at)
        if not path.excluded:
            for index, leg in enumerate(path.legs):
                _count(index, leg.level, leg.since, track, found)
        anchors = tuple(
            leg.anchor if leg.near and leg.clear else None for leg in path.legs
        )
        if path.excluded or any(anchor is not None for anchor in anchors):
            left = _Broken(track, path.last.at, path.last.time, anchors, path.excluded)
            self._leave(path.last, left, now, found)

    def _leave(
        self, last: Spot, left: _Broken, now: float, found: list[Crossing]
    ) -> None:
        heir = self._heir(last)
        if heir is not None:
            self._inherit(heir, left)
        elif now - last.time <= HANDOVER_S:
            for overdue in self._broken.leave(last, left):
                self._settle(overdue, found)
        else:
            self._settle(left, found)

    def _heir(self, last: Spot) -> _Path | None:
        """The live track that began where this one was lost, while it coasted."""
        nearest: tuple[float, _Path] | None = None
        for path in self._paths.values():
            if not path.confirmed or path.inherited:
                continue
            distance = last.reaches(path.birth)
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
