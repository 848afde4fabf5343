"""A camera that stalls, that is gone, and is there again: nobody restarts anything.

The state at the broker changes at most once a minute, so one outage has both.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from rig.layer import CAMERAS, SITE_FOLDER, STALL_MARK

from .camera import Camera

SAID_S = 60.0  # for the journal, and for the broker: a minute between two changes
BACK_S = 90.0  # for a new vision at work, after the waits between its tries
STALL = f"{SITE_FOLDER}/{STALL_MARK}"
Note = Any


@pytest.fixture(scope="module")
def counting(camera: Camera) -> Camera:
    if not camera.has_layer():
        pytest.skip("nobody pulls the ribbon cable of a Pi")
    camera.until(lambda: camera.state() == "ready", SAID_S, camera.last_words)
    return camera


def is_said(camera: Camera, words: str) -> None:
    """By vision in its journal, and by the state at the broker."""
    camera.until(
        lambda: words in camera.journal("doorsill-vision").lower(),
        SAID_S,
        camera.last_words,
    )
    camera.until(lambda: camera.state() != "ready", SAID_S, camera.last_words)


def test_a_camera_that_stalls_is_said(counting: Camera) -> None:
    """As a ribbon cable that is loose: no frame comes."""
    counting.console.must(f"touch {STALL}")
    is_said(counting, "the camera stopped: it gives no frames")


def test_a_camera_that_is_gone_is_said_and_comes_back(
    counting: Camera, record_property: Note
) -> None:
    """libcamera finds none, as when a cable is out at a start."""
    away = f"mv /{CAMERAS} /{CAMERAS}.away; rm -f {STALL}"
    counting.console.must(f"{away}; systemctl kill -s KILL doorsill-vision")
    is_said(counting, "no camera: camera 0 cannot be opened")
    began = time.time()
    counting.console.must(f"mv /{CAMERAS}.away /{CAMERAS}")
    counting.until(lambda: counting.state() == "ready", BACK_S, counting.last_words)
    record_property("ready again", f"{time.time() - began:.0f} s after it was back")
