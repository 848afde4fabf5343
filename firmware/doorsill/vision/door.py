"""One door: frames of one camera become cells, one window after the other.

    opening hours ─► camera ─► pipeline ─► attributes, zones ─► window ─► cells

``open`` waits for the camera; ``watch`` takes its frames until it fails or the shop
closes. A confined process opens no camera, so a door has one camera in its life, and a
new process opens the next one. Until this one ends, its windows close in time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from doorsill.channels.cell_link import CellServer
from doorsill.channels.crop_sender import Handover
from doorsill.drivers.camera.camera import Camera
from doorsill.drivers.camera.restart import let_go, open_patiently
from doorsill.errors import CameraError
from doorsill.policy.document import Policy
from doorsill.policy.hours import is_open
from doorsill.policy.obedience import Obedience
from doorsill.process.stopping import Stop
from doorsill.values import Frame, HealthCell, Quality
from doorsill.vision.attributes.tracks import AppearanceModel, AttributeReader
from doorsill.vision.count.zone import ZoneCounter
from doorsill.vision.detect.detector import Detector
from doorsill.vision.health import HealthWatch
from doorsill.vision.motion import MotionGate
from doorsill.vision.pipeline import Pipeline, pipeline
from doorsill.vision.quality import QualityWatch
from doorsill.vision.window import WindowKeeper, ZoneTotals

log = logging.getLogger(__name__)

HOURS_S = 1.0  # between two checks of the opening hours
FAREWELL_S = 2.0  # the uplink has this long to acknowledge the last windows
HAND_ON_S = 600.0  # the uplink has this long to come, where nobody waits for the end
LIVES_S = 20.0  # least life of a process, so that a dead camera costs few starts
UPLINK_S = 0.25  # between two checks for a new uplink and for what it acknowledged
REST_S = 0.5  # between two checks of the clock while the shop is closed


class PolicyReplaced(Exception):
    """Another policy is in force than the one that this door obeys."""


@dataclass(slots=True)
class Door:
    """One camera at one door: frames in, cells out, nothing kept.

    ``k`` is the least number of people in a sum of attributes (privacy/threshold.py).
    ``monotonic`` and ``utc`` give s and ``sleep`` takes s; tests put their own here.
    """

    policy: Policy
    detector: Detector
    cells: CellServer
    open_camera: Callable[[], Camera]
    k: int
    open_reader: Callable[[], AppearanceModel] | None = None  # None: no attributes
    faces: Handover | None = None
    stop: Stop = field(default_factory=Stop)
    alive: Callable[[float], None] = lambda now: None  # called each turn; monotonic s
    obedience: Obedience | None = None
    monotonic: Callable[[], float] = time.monotonic
    utc: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _camera: Camera | None = None
    _health: HealthWatch = field(init=False)
    _window: WindowKeeper = field(init=False)
    _zones: ZoneCounter | None = None
    _attributes: AttributeReader | None = None
    _quality: QualityWatch = field(default_factory=QualityWatch)
    _steps: Pipeline | None = None
    _hours_at: float = 0.0  # when the opening hours are next checked, monotonic s
    _uplink_at: float = 0.0  # when the uplink is next polled, monotonic s
    _open: bool = True

    def __post_init__(self) -> None:
        now = self.monotonic()
        self._health = HealthWatch(now)
        self._window = WindowKeeper(len(self.policy.lines), now, self.utc(), self.k)
        if self.open_reader is not None:
            self._attributes = AttributeReader(self.open_reader)

    def open(self) -> None:
        """Wait until the shop is open, then for the camera; no frame is read yet.

        Raises Stopped at a signal to stop, PolicyReplaced as soon as another policy is
        in force, CameraError when the camera does not come.
        """
        while self._is_closed():
            self._rest()
        self._camera = open_patiently(
            self.open_camera, wait=self._wait, failed=self._health.count_failure
        )

    def watch(self) -> None:
        """Take frames until the recording ends or the shop closes.

        Raises Stopped at a signal to stop, PolicyReplaced as soon as another policy is
        in force, CameraError when the camera has to be opened again; all that was
        counted is handed on by then.
        """
        try:
            while not self._is_closed():
                frame = self._next_frame()
                if frame is None:
                    log.info("the recording is over")
                    return
                self._take(frame)
                frame.release()
                del frame  # or its buffer would live until the next one is there
            again = CameraError(
                "the shop is closed; a new process waits for it to open"
            )
        except CameraError as error:
            let_go(error)
            self._health.count_failure()
            again = error
        self._camera_off()
        log.warning("%s", again)
        self._hand_on()
        raise again

    def close(self) -> None:
        """Close the last window and hand on what can be handed on."""
        self._camera_off()
        now, utc = self.monotonic(), self.utc()
        if self._steps is not None:
            self._window.book(self._steps.finish(now))
        for cell in self._window.close(now, utc, self._totals):
            self.cells.send(cell)
        self.cells.send(self._report(now, utc))
        while self.cells.pending and self.monotonic() < now + FAREWELL_S:
            self.cells.poll()
            self.sleep(0.02)
        self.cells.close()
        if self.faces is not None:
            self.faces.close()

    def _next_frame(self) -> Frame | None:
        """Wait for a frame; a signal interrupts only this: nothing is half booked."""
        assert self._camera is not None  # noqa: S101 - opened by then
        steps = self._steps
        if steps is None:
            with self.stop.waiting():
                frame = self._camera.read()
            if frame is not None:
                self._steps = self._begin(frame)
            return frame
        steps.timing.begin()
        with self.stop.waiting():
            frame = self._camera.read()
        steps.timing.lap("capture")
        return frame

    def _take(self, frame: Frame) -> None:
        steps = self._steps
        assert steps is not None  # noqa: S101 - made with the first frame
        seen = steps.step(frame)
        if self.faces is not None:
            self.faces.offer(frame, seen.detections.heads, frame.time)
        timing = steps.timing
        timing.begin()
        quality = self._quality.judge(frame)
        self._health.see(quality, self.monotonic())
        timing.lap("quality")
        self._window.book(seen.crossings)
        if self._attributes is not None:
            self._attributes.update(
                frame.pixels, seen.detections, seen.tracks, frame.time
            )
            for crossing in seen.crossings:
                attributes = self._attributes.decide(crossing)
                self._window.book_attributes(crossing, attributes)
        timing.lap("attributes")
        if self._zones is not None:
            self._zones.update(seen.tracks, frame.time)
        self._window.take_frame(frame.time, quality)
        self._tick()
        timing.lap("window")
        timing.end_frame()
        self._health.count(inferred=seen.inferred)

    def _tick(self) -> None:
        """Send what is due, whether there was a frame or not."""
        if self.obedience is not None and self.obedience.is_replaced():
            raise PolicyReplaced
        now, utc = self.monotonic(), self.utc()
        self.alive(now)
        for cell in self._window.tick(now, utc, self._totals):
            self.cells.send(cell)
        if self._health.is_due(now, open_=self._open):
            self.cells.send(self._report(now, utc))
        if now >= self._uplink_at:  # a closed cell is sent at once, without it
            self._uplink_at = now + UPLINK_S
            self.cells.poll()

    def _is_closed(self) -> bool:
        """Whether the shop is closed; checked once in ``HOURS_S``."""
        now = self.monotonic()
        if now >= self._hours_at:
            self._hours_at = now + HOURS_S
            was, self._open = self._open, is_open(self.policy, self.utc())
            if was != self._open:
                log.info("the shop is %s", "open" if self._open else "closed")
        return not self._open

    def _rest(self) -> None:
        """Wait while the shop is closed: there is no picture; the windows say so."""
        self._window.take_frame(self.monotonic(), Quality.CLOSED)
        self._tick()
        with self.stop.waiting():
            self.sleep(REST_S)

    def _wait(self, seconds: float) -> bool:
        """Wait for the camera; False where the shop closed meanwhile."""
        self._tick()
        with self.stop.waiting():
            self.sleep(seconds)
        return not self._is_closed()

    def _camera_off(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _hand_on(self) -> None:
        """Wait until the uplink has what was counted, before the process ends.

        The uplink may be away just now. Windows go on meanwhile, and report a gap.
        """
        now = self.monotonic()
        while now < self._health.began + LIVES_S or (
            not self.cells.handed_on and now < self._health.began + HAND_ON_S
        ):
            self._tick()
            with self.stop.waiting():
                self.sleep(UPLINK_S)
            now = self.monotonic()

    def _begin(self, frame: Frame) -> Pipeline:
        height, width = frame.pixels.shape[:2]
        polygons = {
            kind: [zone.polygon for zone in self.policy.zones if zone.kind == kind]
            for kind in ("count", "exclude")
        }
        if polygons["count"]:
            self._zones = ZoneCounter(polygons["count"], width / height)
        return pipeline(
            self.detector,
            [line.points for line in self.policy.lines],
            aspect=width / height,
            exclude=polygons["exclude"],
            gate=MotionGate(),
        )

    def _totals(self, closing: bool) -> Sequence[ZoneTotals]:
        return () if self._zones is None else self._zones.totals(closing)

    def _report(self, now: float, utc: float) -> HealthCell:
        timing = None if self._steps is None else self._steps.timing
        return self._health.report(
            now, utc, open_=self._open, timing=timing, dropped=self.cells.dropped
        )
