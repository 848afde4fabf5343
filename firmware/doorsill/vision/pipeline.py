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
EDGE = 0.03  # of the picture: a line that ends nearer to its edge is meant to reach it
NOBODY = Detections.none()
EMPTY = Tracks(
    np.empty(0, np.int64),
    np.empty((0, 4), np.float32),
    np.empty((0, 2), np.float32),
    np.empty(0, np.intp),
    np.empty(0, np.bool_),
)


class Gate(Protocol):
    """Decides whether a frame has to be looked at."""

    def wants(self, frame: Frame, *, following: bool) -> bool:
        """False only where nothing moves and nobody is being followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one frame meant; lives until the next one."""

    detections: Detections
    tracks: Tracks
    crossings: list[Crossing]
    looked: bool  # False: nothing moved, so nothing was inferred


@dataclass(slots=True)
class Pipeline:
    """The part that a recording and a door have in common; one call per frame."""

    detector: Detector
    tracker: Tracker
    lines: LineCounter
    gate: Gate | None = None
    timing: Timing = field(default_factory=Timing)

    def step(self, frame: Frame) -> Seen:
        """Look at ``frame``; it is not kept, and nobody is named."""
        timing = self.timing
        timing.begin()
        looked = self.gate is None or self.gate.wants(
            frame, following=len(self.tracker) > 0
        )
        timing.lap("gate")
        detections = self._detect(frame) if looked else NOBODY
        timing.begin()
        tracks = self.tracker.update(detections, frame.time)
        timing.lap("track")
        crossings = self.lines.update(tracks, frame.time)
        timing.lap("count")
        return Seen(detections, tracks, crossings, looked)

    def finish(self, now: float) -> list[Crossing]:
        """The recording is over: everybody still in the picture has left it."""
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
    """Join the parts; ``aspect`` is the picture's width over its height."""
    areas = [area_beyond_edges(area) for area in exclude]
    counter = LineCounter([beyond_edges(line) for line in lines], areas, aspect)
    tracker = Tracker(aspect, born=detector.born)
    return Pipeline(detector, tracker, counter, gate)


def beyond_edges(line: Sequence[Point]) -> tuple[Point, ...]:
    """A line that ends at the edge of the picture goes on beyond it.

    A foot may be below the picture, where the detector supposes it; whoever walks there
    does not go around the line's end.
    """
    return (
        *([_onward(line[1], line[0])] if _at_edge(line[0]) else []),
        *line,
        *([_onward(line[-2], line[-1])] if _at_edge(line[-1]) else []),
    )


def area_beyond_edges(area: Sequence[Point]) -> tuple[Point, ...]:
    """An area that reaches the edge of the picture goes on one picture beyond it.

    Who comes in at the bottom has feet below the picture at first, and is there.
    """
    return tuple((_pushed_out(x), _pushed_out(y)) for x, y in area)


def _pushed_out(part: float) -> float:
    if part <= EDGE:
        return part - 1.0
    return part + 1.0 if part >= 1.0 - EDGE else part


def _at_edge(point: Point) -> bool:
    return any(each <= EDGE or each >= 1 - EDGE for each in point)


def _onward(start: Point, end: Point) -> Point:
    """One picture further in the direction of the last stretch."""
    run, rise = end[0] - start[0], end[1] - start[1]
    length = math.hypot(run, rise)
    return end[0] + run / length, end[1] + rise / length
