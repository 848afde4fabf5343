"""Measure a detector: how long it takes, and how well it does on labelled pictures.

Labels are JSON: ``{"clips": {FILE: {FRAME: {"heads": [...], "people": [...],
"ignore": [...]}}}}`` with boxes as x0, y0, x1, y1 in 0..1 of the picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doorsill.documents.reading import read_file
from doorsill.drivers.camera.video import open_recording
from doorsill.drivers.model.interpreter import Interpreter
from doorsill.errors import ConfigError
from doorsill.values import Boxes, Detections
from doorsill.vision.detect.detector import NetDetector

HEAD_IOU = 0.3  # least overlap of a hit: a hand-drawn head is about 10 % exact
PERSON_IOU = 0.5  # least overlap of a hit
WARM_UP = 10  # invokes before the first that is measured
RUNS = 200  # invokes that are measured
Z_95 = 1.96  # standard deviations of a 95 % interval
FARTHEST = 10.0  # picture sides that a labelled box may reach, also outside of it
LABELS_BYTES = 1 << 28  # of a label file, at most
NO_LABELS = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)

Labels = dict[str, dict[str, dict[str, list[list[float]]]]]


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``total`` with its 95 % Wilson interval."""

    hits: int
    total: int

    def __str__(self) -> str:
        if not self.total:
            return "none to count"
        low, high = self.interval()
        share = self.hits / self.total
        return f"{share:.3f} [{low:.3f}, {high:.3f}] of {self.total}"

    def interval(self) -> tuple[float, float]:
        """Lowest and highest share that fit, at 95 % (Wilson 1927)."""
        n = self.total
        if not n:
            return 0.0, 1.0
        share, z2 = self.hits / n, Z_95**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        spread = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        spread /= 1 + z2 / n
        return max(0.0, middle - spread), min(1.0, middle + spread)


@dataclass(slots=True)
class Score:
    """Hits, false answers and misses of one kind of box."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> Share:
        """Of the answers, how many were right."""
        return Share(self.hits, self.hits + self.false)

    @property
    def recall(self) -> Share:
        """Of those who were there, how many were found."""
        return Share(self.hits, self.hits + self.missed)


@dataclass(slots=True)
class Matches:
    """What a detector did on some labelled frames."""

    heads: Score = field(default_factory=Score)
    people: Score = field(default_factory=Score)
    empty_frames: int = 0  # frames in which nobody is
    false_in_empty: int = 0  # boxes in them

    def add(self, found: Detections, truth: dict[str, list[list[float]]]) -> None:
        """Add one frame's answers, strongest first, and its labels.

        Raises KeyError and ValueError where ``truth`` is not as a label file has it.
        """
        ignored = _boxes(truth.get("ignore", []))
        heads, people = _boxes(truth["heads"]), _boxes(truth["people"])
        if not len(heads):
            self.empty_frames += 1
            self.false_in_empty += len(found)
        _count(self.heads, found.heads, heads, ignored, HEAD_IOU)
        _count(self.people, found.boxes, people, ignored, PERSON_IOU)


def match_boxes(
    found: Boxes, truth: Boxes, ignored: Boxes, needed: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) per answer 1 hit, 0 false, -1 not counted; and (m,) which truths were hit.

    ``found`` (n, 4) comes strongest first and takes the best of ``truth`` (m, 4) that
    is still free, from the overlap ``needed`` on; an answer whose centre lies in an
    ignored box counts for nothing.
    """
    verdict = np.zeros(len(found), np.int64)
    hit = np.zeros(len(truth), np.bool_)
    for row, box in enumerate(found):
        scores = np.where(hit, 0, overlap(box, truth))
        if len(truth) and scores.max() >= needed:
            hit[scores.argmax()] = True
            verdict[row] = 1
        elif len(ignored):
            middle = (box[:2] + box[2:]) / 2
            inside = (ignored[:, :2] < middle) & (middle < ignored[:, 2:])
            verdict[row] = -1 if inside.all(axis=1).any() else 0
    return verdict, hit


def overlap(box: NDArray[Any], boxes: Boxes) -> NDArray[Any]:
    """(n,) intersection over union of one box (4,) with many (n, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    both = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    ratio: NDArray[Any] = both / np.maximum(
        np.prod(box[2:] - box[:2]) + areas - both, 1e-9
    )
    return ratio


def read_labels(path: Path) -> Labels:
    """The clips of a label file; raises ConfigError when it is not one."""
    try:
        clips = json.loads(read_file(path, LABELS_BYTES))["clips"]
        for frames in clips.values():
            for number, truth in frames.items():
                int(number), _boxes(truth["heads"]), _boxes(truth["people"])
                _boxes(truth.get("ignore", []))
    except NO_LABELS:
        raise ConfigError(f"{path} is not a label file: see doorsill models") from None
    return dict(clips)


def evaluate(
    net: NetDetector, labels: Labels, clips: Path, on_frame: Callable[[], None]
) -> Iterator[tuple[str, Matches]]:
    """The matches of each clip; ``on_frame`` is called once per labelled frame.

    Raises ConfigError where a clip cannot be opened or ends before its labels,
    CameraError where it is damaged.
    """
    for clip, frames in labels.items():
        matches, camera = Matches(), open_recording(str(clips / clip), net.fit)
        last = max(map(int, frames), default=-1)
        try:
            for number in range(last + 1):
                frame = camera.read()
                if frame is None:
                    raise ConfigError(f"{clip} ends before its labelled frame {last}")
                if str(number) in frames:
                    matches.add(net.detect(frame), frames[str(number)])
                    on_frame()
                frame.release()
        finally:
            camera.close()
        yield clip, matches


def measure_latency(interpreter: Interpreter, runs: int = RUNS) -> tuple[float, float]:
    """Median and 95th percentile of one invoke, in ms, on a grey picture."""
    interpreter.input_view()[...] = 0
    times = np.empty(runs)
    for run in range(-WARM_UP, runs):
        begun = perf_counter_ns()
        interpreter.invoke()
        if run >= 0:
            times[run] = (perf_counter_ns() - begun) / 1e6
    return float(np.median(times)), float(np.percentile(times, 95))


def _boxes(rows: list[list[float]]) -> Boxes:
    """Boxes (n, 4); raises ValueError where a number is no place in a picture."""
    found = np.array(rows, np.float64).reshape(-1, 4)
    if not (np.abs(found) <= FARTHEST).all():
        raise ValueError("a box is not in the picture")
    return found.astype(np.float32)


def _count(
    score: Score, found: Boxes, truth: Boxes, ignored: Boxes, needed: float
) -> None:
    verdict, hit = match_boxes(found, truth, ignored, needed)
    score.hits += int((verdict == 1).sum())
    score.false += int((verdict == 0).sum())
    score.missed += int((~hit).sum())
