"""Count who goes over a directed line, by what each track did in the end.

              left                     a  the foot was last clear of the band
                 a . .                 b  clear again: the step a-b is judged,
        ~~~~~~~~~~~~~~~~.~~~~~  band   so nothing that happens in the band counts,
    p0 ----------------------> p1      and a step around p0 or p1 is no crossing
        ~~~~~~~~~~~~~~~~~~.~~~
                          b . c        each step over the line moves the track's
              right                    level by +1 (left to right) or -1

*Late count.* A level that is not 0 is booked as a crossing at the first of these:
when the track ends; when the foot has been past the line for ``HOLD_S`` and is
``CLEAR`` body widths from it, less where others come the other way (unless an exclusion
polygon may still take the track back); ``SETTLE_S`` after the foot was last at the
line. Somebody who turns back before that has brought the level back to 0 and is not
counted. What is booked is never taken back: somebody who returns later has gone in
*and* out. In all cases ``in - out`` is the net change of side.

*Swapped ids.* In a crowd two who meet may swap their ids, and each track seems to turn
back. Where two tracks turn back at one place and time, in opposite ways, both people
are taken to have walked on, and a level that comes back to 0 is booked each way
(``swaps``; the tracker undoes most swaps before, see ``follow/meetings.py``).

*Broken ids.* A track that ends near the line leaves its level and the place where its
foot was last clear of the band. A confirmed track born there soon after goes on from
that place, not from its own (``loose_ends``). Where none does, the side on which the
person was last seen is believed. Somebody who walked out of the picture has gone, and
is booked at once, by the side on which they were last seen, unless somebody is so near
that the two may be one; somebody who appears at its edge has come in there and takes up
nothing.

Unconfirmed tracks and tracks that start or end in an exclusion polygon never count.
Nothing about a track outlives it by more than the seconds of a hand-over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from doorsill.values import Crossing, Direction, Tracks
from doorsill.vision import geometry
from doorsill.vision.count.loose_ends import (
    ENTRY_MARGIN,
    HANDOVER_S,
    LastSeen,
    LooseEnds,
)
from doorsill.vision.count.paths import (
    Broken,
    Path,
    begin,
    find_successor,
    is_beside_another,
)
from doorsill.vision.count.swaps import count_oncoming, is_mirrored
from doorsill.vision.geometry import Point, Segments, crossings, inside

BAND = 0.25  # half width of the band around the line, body widths: about 12 cm
CLEAR = 4.0  # distance from the line at which nobody turns back, body widths
CLEAR_MEETING = 1.7  # CLEAR beside one who comes the other way, body widths
CLEAR_IN_CROWD = 1.0  # CLEAR beside several who come the other way, body widths
HOLD_S = 0.6  # least time past the line before a crossing is booked
SETTLE_S = 8.0  # a crossing is booked this long after the foot was last at the line
AT_LINE = 1.0  # a foot nearer than this is still at the line, body widths
HANDOVER_NEAR = 3.0  # a broken id is handed over this near to the line, body widths
DECIDED_WITHIN_S = SETTLE_S + 4.0  # no crossing is reported later than this
DEFAULT_ASPECT = 4 / 3  # width over height of a picture


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
    _paths: dict[int, Path] = field(init=False, default_factory=dict)
    _broken: LooseEnds[Broken] = field(init=False, default_factory=LooseEnds)

    def __post_init__(self) -> None:
        self.lines = [geometry.from_fractions(line, self.aspect) for line in self.lines]
        self.exclude = [
            geometry.from_fractions(area, self.aspect) for area in self.exclude
        ]
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
            for twin, other in tracks.merged:
                self._merge(self._paths.pop(twin, None), self._paths.get(other))
            alive = set(ids)
            for track in [each for each in self._paths if each not in alive]:
                self._end(track, now, track in tracks.left, found)
        for broken in self._broken.expire(now):
            self._settle(broken, found)
        return found

    def _follow(
        self, ids: list[int], tracks: Tracks, now: float, found: list[Crossing]
    ) -> None:
        aspect, distances = self.aspect, self._segments.distances
        rows = zip(
            ids,
            tracks.detection.tolist(),
            tracks.confirmed.tolist(),
            tracks.feet.tolist(),
            tracks.boxes.tolist(),
            strict=True,
        )
        for track, detection, confirmed, (x, y), (x0, y0, x1, y1) in rows:
            foot, wide = (x * aspect, y), min((x1 - x0) * aspect, y1 - y0)
            squared = distances(*foot)
            seen = LastSeen(now, foot, ((x0 + x1) * 0.5 * aspect, y0), wide)
            path = self._paths.get(track)
            if path is None:
                path = self._paths[track] = begin(
                    seen, len(self.lines), self._excludes(foot)
                )
                path.entered = geometry.touches_edge(
                    (x0, y0, x1, y1), aspect, ENTRY_MARGIN * wide
                )
            elif detection >= 0:
                path.see(seen)
            if detection >= 0:
                self._step(track, path, squared, found)
            if confirmed and not path.confirmed:
                self._take_over(path)
            path.confirmed = confirmed
            if confirmed and not path.excluded:
                for index, leg in enumerate(path.legs):
                    if leg.level:  # of few people: the others cost no call
                        self._book(track, path, index, squared[index], now, found)

    def _excludes(self, point: Point) -> bool:
        return any(inside(area, point) for area in self.exclude)

    def _step(
        self, track: int, path: Path, squared: list[float], found: list[Crossing]
    ) -> None:
        foot, wide = path.last.at, path.last.width
        area = wide * wide
        for index, leg in enumerate(path.legs):
            away = squared[index]
            leg.near = away < HANDOVER_NEAR * HANDOVER_NEAR * area
            if away <= BAND * BAND * area:
                continue
            x, y = foot[0] - leg.anchor[0], foot[1] - leg.anchor[1]
            # Who is further from the line than from the anchor stepped over nothing.
            if away <= x * x + y * y:
                moved = crossings(self.lines[index], leg.anchor, foot)
                if moved:
                    self._move(track, path, index, moved, found)
            leg.anchor = foot
            leg.clear = True

    def _move(
        self, track: int, path: Path, index: int, moved: int, found: list[Crossing]
    ) -> None:
        """Take in a step over a line; a turn back may be a swap of two ids."""
        leg = path.legs[index]
        if leg.level * moved < 0 and is_mirrored(path, leg.since, self._paths.values()):
            _count(index, leg.book(), leg.since, track, found)
        leg.step(moved, path.last.time)

    def _book(
        self,
        track: int,
        path: Path,
        index: int,
        squared: float,
        now: float,
        found: list[Crossing],
    ) -> None:
        """Book what a track did at one line, once it is sure not to be taken back."""
        leg = path.legs[index]
        if squared < (AT_LINE * path.last.width) ** 2:
            leg.left = now
        held = now - leg.since >= HOLD_S and not self.exclude
        if now - leg.left >= SETTLE_S or (held and self._is_clear(path, squared)):
            since = max(leg.since, now - DECIDED_WITHIN_S)
            _count(index, leg.book(), since, track, found)

    def _is_clear(self, path: Path, squared: float) -> bool:
        """Whether somebody is so far from a line that they will not turn back."""
        wide = path.last.width
        if squared > (CLEAR * wide) ** 2:
            return True
        if squared <= (CLEAR_IN_CROWD * wide) ** 2:
            return False
        met = count_oncoming(path, self._paths.values())
        return met > 1 or (met == 1 and squared > (CLEAR_MEETING * wide) ** 2)

    def _take_over(self, path: Path) -> None:
        """Let a newly confirmed track go on where a broken one was lost."""
        if not path.entered:
            broken = self._broken.claim(path.birth, path.speed)
            if broken is not None:
                path.inherit(broken, self.lines)

    def _merge(self, twin: Path | None, path: Path | None) -> None:
        """One person had two tracks: what one has booked, the other does not book."""
        if twin is None or path is None:
            return
        for line, ended, leg in zip(self.lines, twin.legs, path.legs, strict=True):
            if leg.level * ended.booked > 0:
                leg.level = 0
            elif crossings(line, leg.anchor, ended.anchor) * ended.booked > 0:
                leg.anchor = ended.anchor

    def _end(
        self, track: int, now: float, left_picture: bool, found: list[Crossing]
    ) -> None:
        path = self._paths.pop(track)
        if not path.confirmed:
            return
        path.excluded = path.excluded or self._excludes(path.last.at)
        alone = left_picture and not is_beside_another(path, self._paths.values())
        for index, leg in enumerate(path.legs):
            if path.excluded or (leg.near and not left_picture):
                continue
            if alone and leg.clear:  # out of the picture while in the band
                leg.step(
                    crossings(self.lines[index], leg.anchor, path.last.at),
                    path.last.time,
                )
            since = max(leg.since, now - DECIDED_WITHIN_S)
            _count(index, leg.book(), since, track, found)
        if left_picture and not path.excluded:
            return
        earliest = now + HANDOVER_S - DECIDED_WITHIN_S
        levels = tuple((leg.level, max(leg.since, earliest)) for leg in path.legs)
        anchors = tuple(
            leg.anchor if leg.near and leg.clear else None for leg in path.legs
        )
        if path.excluded or any(anchor is not None for anchor in anchors):
            left = Broken(
                track, path.last.at, path.last.time, anchors, levels, path.excluded
            )
            self._leave(path, left, now, found)

    def _leave(
        self, path: Path, left: Broken, now: float, found: list[Crossing]
    ) -> None:
        successor = find_successor(path, self._paths.values())
        if successor is not None:
            successor.inherit(left, self.lines)
        elif now - path.last.time <= HANDOVER_S:
            for overdue in self._broken.leave(path.last, path.speed, left):
                self._settle(overdue, found)
        else:
            self._settle(left, found)

    def _settle(self, broken: Broken, found: list[Crossing]) -> None:
        """No track went on: believe the side on which the person was last seen."""
        if broken.excluded:
            return
        for index, anchor in enumerate(broken.anchors):
            if anchor is not None:
                moved = crossings(self.lines[index], anchor, broken.end)
                level, since = broken.levels[index]
                since = broken.time if moved else since
                _count(index, level + moved, since, broken.track, found)


def _count(
    line: int, level: int, since: float, track: int, found: list[Crossing]
) -> None:
    direction = Direction.IN if level > 0 else Direction.OUT
    found.extend([Crossing(line, direction, since, track)] * abs(level))
