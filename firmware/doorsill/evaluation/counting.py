"""A recording from its first frame to its last, and what was counted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter

from doorsill.drivers.camera.camera import Camera
from doorsill.errors import CameraError, ConfigError
from doorsill.evaluation.plot import TrackPlot
from doorsill.evaluation.sights import Sights
from doorsill.values import Crossing, Frame
from doorsill.vision.count.zone import ZoneCounter
from doorsill.vision.detect.detector import Detector
from doorsill.vision.motion import MotionGate
from doorsill.vision.pipeline import Pipeline, Seen, pipeline
from doorsill.vision.timing import STAGES
from doorsill.vision.window import ZoneTotals

Point = tuple[float, float]
TELL_EVERY = 10  # frames from one report of progress to the next


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be counted, and how."""

    lines: list[tuple[Point, ...]]
    zones: list[tuple[Point, ...]] = field(default_factory=list)  # people are counted
    exclude: list[tuple[Point, ...]] = field(default_factory=list)
    is_open: Callable[[float], bool] | None = None  # at this second of the video
    seconds: float | None = None  # of video that are counted; None: all
    every_frame: bool = False  # the detector sees frames in which nothing moves, too
    plot: bool = False


@dataclass(slots=True)
class Counted:
    """What was counted in a recording, or in the part of it that was read."""

    lines: list[list[int]]  # [in, out] for each line
    crossings: list[Crossing] = field(default_factory=list)  # times from the start, s
    zones: list[ZoneTotals] = field(default_factory=list)
    frames: int = 0  # that were read
    gated: int = 0  # frames in which nothing moved
    closed: int = 0  # frames outside the opening hours
    seconds: float = 0.0  # for which counting ran
    first: float = 0.0  # s, time of the first frame: a live source goes by our clock
    last: float = 0.0  # s, time of the last frame
    aspect: float = 4 / 3  # width over height of the picture
    plot: TrackPlot | None = None
    sights: Sights = field(default_factory=Sights)
    stages_ms: dict[str, float] = field(default_factory=dict)  # mean of a frame
    # What ended it too soon.
    stopped: CameraError | ConfigError | KeyboardInterrupt | None = None

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
    tell: Callable[[Counted], None] = lambda _: None,
) -> Counted:
    """Count what ``camera`` delivers; ``tell`` gets what was counted now and then.

    Damage on the way and Ctrl-C end it: ``stopped`` says which, and what was counted
    until then is given. Raises CameraError where not one frame could be read.
    """
    run = begin(detector, wanted)
    counted = run.counted
    counted.sights.stored = getattr(camera, "stored", None)
    begun = perf_counter()
    try:
        while (frame := run.read(camera)) is not None and run.take(frame):
            if counted.frames % TELL_EVERY == 0:
                tell(counted)
    except (CameraError, KeyboardInterrupt) as error:
        if not counted.frames:
            raise
        counted.stopped = error
    counted.seconds = perf_counter() - begun
    run.finish()
    return counted


def nothing(lines: int, why: CameraError | ConfigError | KeyboardInterrupt) -> Counted:
    """What was counted at so many ``lines`` in a recording that gave no frame."""
    return Counted([[0, 0] for _ in range(lines)], stopped=why)


def begin(detector: Detector, wanted: Wanted) -> Run:
    """A run, ready for its first frame: call ``read``, ``take`` and ``finish``."""
    counted = Counted([[0, 0] for _ in wanted.lines])
    counted.plot = TrackPlot() if wanted.plot else None
    return Run(detector, wanted, counted)


def duration(camera: Camera) -> float | None:
    """Seconds of video, where the source says it."""
    return getattr(camera, "duration", None)


@dataclass(slots=True)
class Run:
    """One recording on its way through the pipeline, which the first frame shapes."""

    detector: Detector
    wanted: Wanted
    counted: Counted
    steps: Pipeline | None = None
    zones: ZoneCounter | None = None

    def read(self, camera: Camera) -> Frame | None:
        """The next frame, or None at the end."""
        if self.steps is None:
            return camera.read()
        self.steps.timing.begin()
        frame = camera.read()
        self.steps.timing.lap("capture")
        return frame

    def take(self, frame: Frame) -> bool:
        """Count one frame, and release it; False where enough was seen."""
        wanted, counted = self.wanted, self.counted
        steps = self.steps or self._begin(frame)
        at = frame.time - counted.first
        if wanted.seconds is not None and at > wanted.seconds:
            frame.release()
            return False
        counted.last = frame.time
        counted.frames += 1
        counted.sights.steps.note(frame.time)
        if wanted.is_open is not None and not wanted.is_open(at):
            counted.closed += 1
            frame.release()
            return True
        counted.sights.look_for_bars(frame)
        seen = steps.step(frame)
        frame.release()
        steps.timing.end_frame()
        self._note(seen, counted.last)
        return True

    def finish(self) -> None:
        """End the recording: everybody who is still in the picture has left it."""
        if self.steps is None:
            return
        self._book(self.steps.finish(self.counted.last))
        per_frame = 1000 * max(1, self.counted.frames)
        totals = self.steps.timing.total_us
        self.counted.stages_ms = {name: totals[name] / per_frame for name in STAGES}
        if self.zones is not None:
            self.counted.zones = self.zones.totals(closing=False)

    def _begin(self, frame: Frame) -> Pipeline:
        height, width = frame.pixels.shape[:2]
        counted, wanted = self.counted, self.wanted
        counted.aspect = width / height
        counted.first = counted.last = frame.time
        gate = None if wanted.every_frame else MotionGate()
        self.steps = pipeline(
            self.detector,
            wanted.lines,
            aspect=counted.aspect,
            exclude=wanted.exclude,
            gate=gate,
        )
        if wanted.zones:
            self.zones = ZoneCounter(wanted.zones, counted.aspect)
        return self.steps

    def _note(self, seen: Seen, now: float) -> None:
        counted = self.counted
        counted.gated += not seen.inferred
        counted.sights.note(seen)
        if self.zones is not None:
            self.zones.update(seen.tracks, now)
        self._book(seen.crossings)
        if counted.plot is not None:
            counted.plot.add(seen.tracks, seen.crossings)

    def _book(self, crossings: Iterable[Crossing]) -> None:
        for crossing in crossings:
            self.counted.lines[crossing.line][crossing.direction] += 1
            self.counted.crossings.append(crossing)
