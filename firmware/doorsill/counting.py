"""A recording from its first frame to its last, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter

from doorsill.drivers.camera import Camera
from doorsill.errors import CameraError
from doorsill.plot import TrackPlot
from doorsill.values import Crossing, Frame
from doorsill.vision.detector import Detector
from doorsill.vision.motion import MotionGate
from doorsill.vision.pipeline import Pipeline, pipeline
from doorsill.vision.timing import STAGES

Point = tuple[float, float]
TELL_EVERY = 10  # frames


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be counted, and how."""

    lines: list[tuple[Point, ...]]
    seconds: float | None = None  # of video; None is all of it
    every_frame: bool = False  # infer where nothing moves, too
    plot: bool = False


@dataclass(slots=True)
class Tally:
    """What a recording came to."""

    lines: list[list[int]]  # [in, out] for each line
    frames: int = 0
    gated: int = 0
    seconds: float = 0.0
    first: float = 0.0  # s, time of the first frame: a live source goes by our clock
    last: float = 0.0  # s, time of the last frame
    aspect: float = 4 / 3
    plot: TrackPlot | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> float:
        """Seconds of video so far."""
        return self.last - self.first

    @property
    def fps(self) -> float:
        """Frames a second, everything included."""
        return self.frames / self.seconds if self.seconds else 0.0


def count(
    camera: Camera,
    detector: Detector,
    wanted: Wanted,
    tell: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Count what ``camera`` delivers; ``tell`` hears of it now and then.

    Raises CameraError where the recording is damaged: a part is not given for a whole.
    """
    tally = Tally([[0, 0] for _ in wanted.lines])
    tally.plot = TrackPlot() if wanted.plot else None
    steps: Pipeline | None = None
    begun = perf_counter()
    while (frame := _read(camera, steps, tally)) is not None:
        if steps is None:
            steps = _pipeline(frame, detector, wanted, tally)
        if wanted.seconds is not None and frame.time - tally.first > wanted.seconds:
            frame.release()
            break
        _step(steps, frame, tally)
        if tally.frames % TELL_EVERY == 0:
            tell(tally)
    tally.seconds = perf_counter() - begun
    if steps is not None:
        _book(steps.finish(tally.last), tally)
        per_frame = 1000 * max(1, tally.frames)
        totals = steps.timing.total_us
        tally.stages_ms = {name: totals[name] / per_frame for name in STAGES}
    return tally


def duration(camera: Camera) -> float | None:
    """Seconds of video, where the source says it."""
    return getattr(camera, "duration", None)


def _read(camera: Camera, steps: Pipeline | None, tally: Tally) -> Frame | None:
    if steps is None:
        return camera.read()
    steps.timing.begin()
    try:
        frame = camera.read()
    except CameraError as error:
        if int(tally.reached) < 1:
            raise
        hint = f"`--seconds {int(tally.reached)}` counts what comes before"
        raise CameraError(f"{error}; {hint}") from error
    steps.timing.lap("capture")
    return frame


def _pipeline(
    frame: Frame, detector: Detector, wanted: Wanted, tally: Tally
) -> Pipeline:
    height, width = frame.pixels.shape[:2]
    tally.aspect = width / height
    tally.first = tally.last = frame.time
    gate = None if wanted.every_frame else MotionGate()
    return pipeline(detector, wanted.lines, aspect=tally.aspect, gate=gate)


def _step(steps: Pipeline, frame: Frame, tally: Tally) -> None:
    seen = steps.step(frame)
    tally.last = frame.time
    frame.release()
    steps.timing.end_frame()
    tally.frames += 1
    tally.gated += not seen.looked
    _book(seen.crossings, tally)
    if tally.plot is not None:
        tally.plot.add(seen.tracks, seen.crossings)


def _book(crossings: Iterable[Crossing], tally: Tally) -> None:
    for crossing in crossings:
        tally.lines[crossing.line][crossing.direction] += 1
