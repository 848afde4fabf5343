"""A camera that is waited for: every CameraError leads to a wait and another try."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

from doorsill.drivers.camera.camera import Camera
from doorsill.errors import CameraError
from doorsill.process.backoff import wait_after

GIVE_UP_AFTER = 6  # failures, in 32 s: then a new process finds the devices again
TICK_S = 0.5  # length of a piece of a wait, at most

log = logging.getLogger(__name__)


def open_patiently(
    open_it: Callable[[], Camera],
    *,
    wait: Callable[[float], bool | None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    failed: Callable[[], None] = lambda: None,
) -> Camera:
    """Open the camera; raises the last CameraError after GIVE_UP_AFTER failures.

    ``wait`` (seconds) is called in pieces of at most half a second, so that its owner
    can go on to close windows; when it returns False, the error is raised at once.
    ``failed`` is called with each failure.
    """
    failures = 0
    while True:
        try:
            camera = open_it()
        except CameraError as error:
            let_go(error)
            failed()
            failures += 1
            if failures >= GIVE_UP_AFTER:
                raise
            if failures == 1:
                log.warning("no camera: %s; it is tried again", error)
            until = now() + wait_after(failures)
            while (left := until - now()) > 0:
                if wait(min(left, TICK_S)) is False:
                    raise
        else:
            if failures:
                log.info("the camera is there after %d failures", failures)
            return camera


def let_go(error: BaseException | None) -> None:
    """Drop what the calls that failed still hold: it includes the last picture."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
