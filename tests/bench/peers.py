"""The field's trackers and line counters on the boxes that we get, and ours.

Each takes one frame's detections and gives the crossings it counts in that frame. The
peers get what their documentation tells their users to write, the foot as the anchor,
and the best of several settings, chosen on the very streets on which they are judged;
ours runs as the product does, with constants set on other seeds.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from doorsill.values import Crossing, Detections, Direction
from doorsill.vision.count.line import DECIDED_WITHIN_S, LineCounter
from doorsill.vision.follow.tracker import BIRTH_SCORE, Tracker
from doorsill.vision.window import WindowKeeper

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import norfair
    import supervision

WIDTH, HEIGHT = 640, 480
PIXELS = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32)
Line = tuple[tuple[float, float], tuple[float, float]]
Stamped = list[tuple[float, Direction]]
Frames = Sequence[tuple[float, Detections]]


class Counter(Protocol):
    """One that counts."""

    def feed(self, now: float, detections: Detections) -> Stamped:
        """What is counted in this frame."""


@dataclass
class Ours:
    """Tracker, line and window, as in the vision process."""

    line: Line
    born: float = BIRTH_SCORE
    tracker: Tracker = field(init=False)
    lines: LineCounter = field(init=False)
    window: WindowKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.tracker = Tracker(WIDTH / HEIGHT, born=self.born)
        self.lines = LineCounter([self.line], aspect=WIDTH / HEIGHT)
        self.window = WindowKeeper(1, 0.0, 1_000_000.0)

    def feed(self, now: float, detections: Detections) -> Stamped:
        tracks = self.tracker.update(detections, now)
        crossings: list[Crossing] = self.lines.update(tracks, now)
        self.window.book(crossings)
        self.window.tick(now, 1_000_000.0 + now, lambda closing: ())
        return [(each.time, each.direction) for each in crossings]


class ByteTrackLineZone:
    """supervision: ByteTrack and LineZone with the bottom centre as the anchor."""

    def __init__(self, line: Line, patience: int, crossing: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._tracker = supervision.ByteTrack(
                lost_track_buffer=patience, frame_rate=12
            )
        (x0, y0), (x1, y1) = line
        self._zone = supervision.LineZone(
            start=supervision.Point(x0 * WIDTH, y0 * HEIGHT),
            end=supervision.Point(x1 * WIDTH, y1 * HEIGHT),
            triggering_anchors=[supervision.Position.BOTTOM_CENTER],
            minimum_crossing_threshold=crossing,
        )

    def feed(self, now: float, detections: Detections) -> Stamped:
        found = supervision.Detections(
            xyxy=detections.boxes * PIXELS,
            confidence=detections.scores,
            class_id=np.zeros(len(detections), int),
        )
        found = self._tracker.update_with_detections(found)
        one, other = self._zone.trigger(found)
        # Its "in" is our OUT: it looks along the line from the other side.
        return [(now, Direction.OUT)] * int(one.sum()) + [(now, Direction.IN)] * int(
            other.sum()
        )


class NorfairLine:
    """norfair, and the side of the line on which the foot of each object is."""

    def __init__(self, line: Line, distance: str, threshold: float, age: int) -> None:
        self._tracker = norfair.Tracker(
            distance_function=distance,
            distance_threshold=threshold,
            hit_counter_max=age,
            initialization_delay=2,
        )
        self._boxes = distance == "iou"
        self._line = np.array(line) * PIXELS[:2]
        self._sides: dict[int, bool] = {}

    def feed(self, now: float, detections: Detections) -> Stamped:
        objects = self._tracker.update(self._points(detections))
        counted: Stamped = []
        (x0, y0), (x1, y1) = self._line
        for each in objects:
            estimate = each.estimate
            x = estimate[:, 0].mean()
            y = estimate[-1, 1]
            right = bool((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0)
            if self._sides.setdefault(each.id, right) != right:
                counted.append((now, Direction.IN if right else Direction.OUT))
            self._sides[each.id] = right
        return counted

    def _points(self, detections: Detections) -> list[Any]:
        boxes = detections.boxes * PIXELS
        if self._boxes:
            return [norfair.Detection(points=box.reshape(2, 2)) for box in boxes]
        middle = (boxes[:, 0] + boxes[:, 2]) / 2
        feet = np.stack([middle, boxes[:, 3]], axis=1)
        return [norfair.Detection(points=foot[None]) for foot in feet]


Make = Callable[[Line], Counter]
BYTETRACK: tuple[Make, ...] = tuple(
    lambda line, patience=patience, crossing=crossing: ByteTrackLineZone(
        line, patience, crossing
    )
    for patience, crossing in ((30, 1), (90, 3))
)
NORFAIR: tuple[Make, ...] = tuple(
    lambda line, setting=setting: NorfairLine(line, *setting)
    for setting in (
        ("iou", 0.7, 15),
        ("euclidean", 30.0, 15),
    )
)


def drive(counter: Counter, frames: Frames) -> tuple[Stamped, list[float]]:
    """What is counted over ``frames``, and the seconds that each took."""
    counted: Stamped = []
    spent = []
    now = 0.0
    for now, detections in frames:
        start = time.perf_counter()
        counted += counter.feed(now, detections)
        spent.append(time.perf_counter() - start)
    for step in range(round(DECIDED_WITHIN_S / 0.08)):
        counted += counter.feed(now + step * 0.08, Detections.none())
    return counted, spent
