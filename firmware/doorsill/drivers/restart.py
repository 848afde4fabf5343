"""A camera that comes back: every CameraError leads to a wait and a new opening."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from doorsill.drivers.camera import Camera
from doorsill.errors import CameraError
from doorsill.values import Frame

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
SETTLED_S = 30.0  # a camera that ran this long failed for a new reason
TICK_S = 0.5

_log = logging.getLogger(__name__)


def wait_after(failures: int) -> float:
    """Seconds to wait after this many failures in a row: doubled up to a minute."""
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30)))


@dataclass(slots=True)
class Failures:
    """How many failures came in a row; a camera that settled begins anew."""

    in_a_row: int = 0
    total: int = 0
    _since: float | None = None

    def delivered(self, now: float) -> None:
        """A frame came."""
        if self._since is None:
            self._since = now

    def failed(self, now: float) -> float:
        """The camera failed; seconds to wait before the next opening."""
        if self._since is not None and now - self._since >= SETTLED_S:
            self.in_a_row = 0
        self._since = None
        self.in_a_row += 1
        self.total += 1
        return wait_after(self.in_a_row)


class RestartingCamera:
    """Opens, reads, and opens again; ``restarts`` counts for the health record.

    ``wait`` is called in pieces of at most half a second while the camera is away, so
    that its owner can go on to close windows; when it returns False, ``read`` gives up
    and raises the last error.
    """

    def __init__(
        self,
        reopen: Callable[[], Camera],
        *,
        wait: Callable[[float], bool | None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reopen = reopen
        self._wait = wait
        self._now = now
        self._camera: Camera | None = None
        self._failures = Failures()

    @property
    def restarts(self) -> int:
        """How often the camera failed since the start."""
        return self._failures.total

    @property
    def failures_in_a_row(self) -> int:
        """How often it failed since it last ran for a while."""
        return self._failures.in_a_row

    def read(self) -> Frame | None:
        """The next frame, however long it takes; None at the end of a recording."""
        while True:
            try:
                if self._camera is None:
                    self._camera = self._reopen()
                frame = self._camera.read()
            except CameraError as error:
                self._stay_away(error)
            else:
                self._delivered()
                return frame

    def close(self) -> None:
        """Let go of the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _delivered(self) -> None:
        if self._failures.in_a_row and self._failures._since is None:
            _log.info("the camera is back after %d failures", self._failures.in_a_row)
        self._failures.delivered(self._now())

    def _stay_away(self, error: CameraError) -> None:
        self.close()
        _let_go(error)
        seconds = self._failures.failed(self._now())
        if self._failures.in_a_row == 1:
            _log.warning("camera lost: %s; next try in %.1f s", error, seconds)
        until = self._now() + seconds
        while (left := until - self._now()) > 0:
            if self._wait(min(left, TICK_S)) is False:
                raise error


def _let_go(error: BaseException | None) -> None:
    """Drop what the calls that failed still hold: the last picture is among it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
