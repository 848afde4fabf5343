"""One frame, from the camera's buffer to what it means. Read this first.

frame ─► gate ─► detector ─► tracker ─► lines ─► crossings
           │                    │
           └─ nothing moves:    └─► zones, attributes, quality, window: door.py
              nobody is there
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from doorsill.values import Crossing, Detections, Frame, Tracks
from doorsill.vision.count.line import DECIDED_WITHIN_S, LineCounter
from doorsill.vision.detect.detector import Detector
from doorsill.vision.follow.tracker import Tracker
from doorsill.vision.timing import Timing

Point = tuple[float, float]
AT_EDGE = 0.03  # a line that ends this near to the picture's edge reaches it, fraction
NOBODY = Detections.none()  # of a frame that the detector does not see
EMPTY = Tracks(  # of a recording that is over
    np.empty(0, np.int64),
    np.empty((0, 4), np.float32),
    np.empty((0, 2), np.float32),
    np.empty(0, np.intp),
    np.empty(0, np.bool_),
)


class Gate(Protocol):
    """Decides whether the detector has to see a frame."""

    def wants(self, frame: Frame, *, following: bool) -> bool:
        """False only where nothing moves and nobody is being followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one frame meant; lives until the next one."""

    detections: Detections
    tracks: Tracks
    crossings: list[Crossing]
    inferred: bool  # False: nothing moved, so the detector did not see the frame


@dataclass(slots=True)
class Pipeline:
    """The part that a recording and a door have in common; one call per frame."""

    detector: Detector
    tracker: Tracker
    lines: LineCounter
    gate: Gate | None = None
    timing: Timing = field(default_factory=Timing)

    def step(self, frame: Frame) -> Seen:
        """Detect, follow and count; ``frame`` is not kept, and nobody is named."""
        timing = self.timing
        timing.begin()
        inferred = self.gate is None or self.gate.wants(
            frame, following=len(self.tracker) > 0
        )
        timing.lap("gate")
        detections = self._detect(frame) if inferred else NOBODY
        timing.begin()
        tracks = self.tracker.update(detections, frame.time)
        timing.lap("track")
        crossings = self.lines.update(tracks, frame.time)
        timing.lap("count")
        return Seen(detections, tracks, crossings, inferred)

    def finish(self, now: float) -> list[Crossing]:
        """The crossings that are left when a recording ends at ``now`` (monotonic s).

        Everybody who is still in the picture has left it.
        """
        gone = self.lines.update(EMPTY, now)
        return gone + self.lines.update(EMPTY, now + DECIDED_WITHIN_S)

    def _detect(self, frame: Frame) -> Detections:
        detections = self.detector.detect(frame)
        stages = self.detector.stages
        self.timing.add("prepare", stages.prepare)
        self.timing.add("invoke", stages.invoke)
        self.timing.add("decode", stages.decode)
        return detections


def pipeline(
    detector: Detector,
    lines: Sequence[Sequence[Point]],
    *,
    aspect: float,
    exclude: Sequence[Sequence[Point]] = (),
    gate: Gate | None = None,
) -> Pipeline:
    """Join the parts; ``aspect`` is the picture's width over its height.

    ``lines`` and ``exclude`` are points in fractions of the picture.
    """
    areas = [extend_area(area) for area in exclude]
    counter = LineCounter([extend_line(line) for line in lines], areas, aspect)
    tracker = Tracker(aspect, born=detector.born)
    return Pipeline(detector, tracker, counter, gate)


def extend_line(line: Sequence[Point]) -> tuple[Point, ...]:
    """``line``, extended by one picture where it ends at the picture's edge.

    A foot may be below the picture, where the detector supposes it. Somebody who walks
    there does not go around the line's end.
    """
    points = list(line)
    if _is_at_edge(line[0]):
        points.insert(0, _onward(line[1], line[0]))
    if _is_at_edge(line[-1]):
        points.append(_onward(line[-2], line[-1]))
    return tuple(points)


def extend_area(area: Sequence[Point]) -> tuple[Point, ...]:
    """``area``, extended by one picture where it reaches the picture's edge.

    Somebody who comes in at the bottom has feet below the picture at first, and is in
    the area all the same.
    """
    return tuple((_push_out(x), _push_out(y)) for x, y in area)


def _push_out(part: float) -> float:
    if part <= AT_EDGE:
        return part - 1.0
    return part + 1.0 if part >= 1.0 - AT_EDGE else part


def _is_at_edge(point: Point) -> bool:
    return any(each <= AT_EDGE or each >= 1 - AT_EDGE for each in point)


def _onward(start: Point, end: Point) -> Point:
    """One picture further in the direction of the last stretch."""
    run, rise = end[0] - start[0], end[1] - start[1]
    length = math.hypot(run, rise)
    return end[0] + run / length, end[1] + rise / length
