"""One frame, from the camera's buffer to what it means. Read this first.

frame ─► gate ─► detector ─► tracker ─► lines ─► crossings
           │                    │
           └─ nothing moves:    └─► zones, attributes, quality, window: service.py
              nobody is there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from doorsill.values import Crossing, Detections, Frame, Tracks
from doorsill.vision.detector import Detector
from doorsill.vision.line import DECIDED_WITHIN_S, LineCounter
from doorsill.vision.timing import Timing
from doorsill.vision.tracker import Tracker

Point = tuple[float, float]
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
    counter = LineCounter(lines, exclude, aspect)
    return Pipeline(detector, Tracker(aspect), counter, gate)
