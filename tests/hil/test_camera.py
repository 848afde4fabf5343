"""The camera contract on real hardware, to be run on the board itself.

    DOORSILL_CAMERA=picamera:0           pytest tests/hil/test_camera.py
    DOORSILL_CAMERA=video:/dev/video0    pytest tests/hil/test_camera.py

For the colour test, hold something plainly red before the lens: DOORSILL_RED=1.
"""

import os
import time

import numpy as np
import pytest

from doorsill.drivers.camera.opening import open_camera

FIT = (320, 256)
RATE = 12.5


@pytest.fixture
def camera():
    named = os.environ.get("DOORSILL_CAMERA")
    if not named:
        pytest.skip("DOORSILL_CAMERA names no camera")
    driver, source = named.split(":", 1)
    camera = open_camera(driver, source, FIT, frame_rate=RATE)
    yield camera
    camera.close()


def frames(camera, count):
    for _ in range(count):
        frame = camera.read()
        assert frame is not None
        yield frame
        frame.release()


def test_pictures_fill_the_model_on_one_side(camera):
    for frame in frames(camera, 20):
        height, width, channels = frame.pixels.shape
        assert (width == 320 or height == 256) and width <= 320 and height <= 256
        assert channels == 3 and frame.pixels.dtype == np.uint8


def test_the_rate_is_what_was_asked_for_and_frames_are_fresh(camera):
    times = [frame.time for frame in frames(camera, 100)][25:]
    ages = [time.monotonic() - frame.time for frame in frames(camera, 10)]
    assert np.median(np.diff(times)) == pytest.approx(1 / RATE, rel=0.1)
    assert (np.diff(times) > 0).all()
    assert max(ages) < 0.3, "seconds from the sensor to us"


def test_no_buffer_is_lost_in_a_minute(camera):
    assert sum(1 for _ in frames(camera, int(60 * RATE))) == int(60 * RATE)


@pytest.mark.skipif("DOORSILL_RED" not in os.environ, reason="nothing red is shown")
def test_red_is_red(camera):
    *_, last = (frame.pixels.copy() for frame in frames(camera, 30))
    red, green, blue = last[80:160, 100:220].reshape(-1, 3).mean(0)
    assert red > 1.5 * green and red > 1.5 * blue
