"""Compare detectors on one recording: picture by picture, in turn, in one run.

    recording ─┬─► camera A ─► detector A ─► tracker, lines
               └─► camera B ─► detector B ─► tracker, lines

Each looks at every picture, and who goes first changes from picture to picture, so a
machine that is busy for a moment is busy for both. What is found, followed and counted
is what ``doorsill count --every-frame`` would report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from doorsill.drivers.camera.camera import Camera
from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import ConfigError
from doorsill.evaluation.counting import Point, Run, Wanted, begin
from doorsill.evaluation.measure import Labels, Matches
from doorsill.values import Detections, Frame
from doorsill.vision.detect.detector import Detector, Stages
from doorsill.vision.detect.named import SSD_SCORE, Model

Truth = dict[str, dict[str, list[list[float]]]]  # of one clip, by the frame's number


@dataclass(slots=True)
class Watched:
    """A detector whose answers and times are noted."""

    inner: Detector
    sure: float  # the score from which a single picture counts as found
    truth: Truth = field(default_factory=dict)
    times_us: list[int] = field(default_factory=list)
    boxes: int = 0  # sure answers
    pictures: int = 0  # pictures in which somebody was found
    matches: Matches = field(default_factory=Matches)

    @property
    def fit(self) -> tuple[int, int]:
        """As of the detector itself."""
        return self.inner.fit

    @property
    def stages(self) -> Stages:
        """As of the detector itself."""
        return self.inner.stages

    @property
    def born(self) -> float:
        """As of the detector itself."""
        return self.inner.born

    def detect(self, frame: Frame) -> Detections:
        """What the detector answers; it is noted."""
        found = self.inner.detect(frame)
        number = str(len(self.times_us))
        self.times_us.append(sum(self.inner.stages))
        kept = found.scores >= self.sure
        self.boxes += int(kept.sum())
        self.pictures += bool(kept.any())
        if number in self.truth:
            sure = Detections(
                boxes=found.boxes[kept],
                scores=found.scores[kept],
                heads=found.heads[kept],
                feet=found.feet[kept],
            )
            self.matches.add(sure, self.truth[number])
        return found


@dataclass(slots=True)
class Compared:
    """One model's way through the recording."""

    model: Model
    detector: Watched
    camera: Camera
    run: Run

    def step(self) -> bool:
        """Take one picture; False at the end."""
        frame = self.run.read(self.camera)
        return frame is not None and self.run.take(frame)

    def row(self) -> dict[str, Any]:
        """All figures, as JSON shows them."""
        times = np.array(self.detector.times_us or [0]) / 1000
        matches = self.detector.matches
        counted = self.run.counted
        row: dict[str, Any] = {
            "model": self.model.title,
            "input": list(self.detector.fit),
            "pictures": counted.frames,
            "ms_median": round(float(np.median(times)), 3),
            "ms_p95": round(float(np.percentile(times, 95)), 3),
            "boxes": self.detector.boxes,
            "pictures_with_people": self.detector.pictures,
            "people": counted.sights.people,
            "lines": [{"in": each[0], "out": each[1]} for each in counted.lines],
        }
        if self.detector.truth:
            for name, score in (("heads", matches.heads), ("persons", matches.people)):
                row[name] = {
                    "hits": score.hits,
                    "false": score.false,
                    "missed": score.missed,
                }
        return row


def compare(
    models: Sequence[Model],
    clip: str,
    lines: Sequence[tuple[Point, ...]],
    labels: Labels | None,
    tell: Callable[[float, float | None], None],
    threads: int = 1,
    delegate: str = "",
    declared_rate: float | None = None,
) -> list[Compared]:
    """Run all ``models`` on ``clip``; ``tell`` gets the seconds so far and the length.

    ``declared_rate`` is the frames a second of a recording that does not say it.
    Raises ConfigError where a model is no detector or the labels hold no such clip,
    CameraError where the clip is damaged.
    """
    truth = _truth(labels, clip)
    compared: list[Compared] = []
    try:
        for model in models:
            net = model.counting_detector(threads, delegate)
            detector = Watched(net, _sure(model), truth)
            camera = open_camera(
                "video", clip, detector.fit, declared_rate=declared_rate, live=False
            )
            run = begin(detector, Wanted(list(lines), every_frame=True))
            compared.append(Compared(model, detector, camera, run))
        turn = list(compared)
        while turn:
            turn = [each for each in turn if each.step()][::-1]
            counted = compared[0].run.counted
            tell(counted.reached, getattr(compared[0].camera, "duration", None))
        for each in compared:
            each.run.finish()
    finally:
        for each in compared:
            each.camera.close()
    return compared


def _sure(model: Model) -> float:
    if model.manifest is not None and model.manifest.decode is not None:
        return model.manifest.decode.sure
    return SSD_SCORE


def _truth(labels: Labels | None, clip: str) -> Truth:
    if labels is None:
        return {}
    name = Path(clip).name
    if name not in labels:
        known = ", ".join(sorted(labels)) or "none"
        raise ConfigError(f"the labels hold no clip {name}; they hold: {known}")
    return labels[name]
