"""picamera2 answers so, and so does our fake of it: one table, asked of both.

The real one is asked where it is installed and a camera is there, on a Pi or with
libcamera's virtual camera: ``DOORSILL_PICAMERA=MODULE`` names a module with
``library()`` for what such a system lacks. Its answers were first seen with picamera2
0.3.38 and libcamera 0.7.1.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from doorsill.drivers.camera.picamera import close_fully, configuration_of
from doorsill.drivers.camera.picamera_fake import FakePi
from doorsill.drivers.camera.picamera_library import Library, find_library
from doorsill.errors import DoorsillError
from doorsill.values import Pixels

SIZE = (320, 180)
SHORT_S = 0.3  # to wait for what does not come


def grey(_: int, size: tuple[int, int]) -> Pixels:
    return np.full((size[1], size[0], 3), 90, np.uint8)


def real_library() -> Library:
    try:
        named = os.environ.get("DOORSILL_PICAMERA")
        found = importlib.import_module(named).library() if named else find_library()
        found.open(0).close()
    except (DoorsillError, RuntimeError) as error:
        pytest.skip(f"no real picamera2 with a camera: {error}")
    gc.collect()
    assert isinstance(found, Library)
    return found


@pytest.fixture(params=["fake Pi 5", "fake Pi 4", "real"])
def library(request: pytest.FixtureRequest) -> Library:
    if request.param == "real":
        return real_library()
    return FakePi(grey, "PISP" if request.param == "fake Pi 5" else "VC4").library()


@pytest.fixture
def camera(library: Library) -> Iterator[Any]:
    """Open and configured as the driver does it, not started."""
    found = library.open(0)
    rgb = library.platform == "PISP"
    wanted = configuration_of(found, SIZE, 12.5, rgb, library.colour_space())
    found.configure(wanted)
    yield found
    found.close()


def test_a_camera_that_is_not_there(library: Library) -> None:
    kind: Any = library.open
    half = kind.__new__(kind)
    with pytest.raises(RuntimeError, match="No camera number 7 found - use"):
        kind.__init__(half, 7)
    half.close()
    assert not half.notifymeread.closed, "its pipe stays open"
    close_fully(half)
    assert half.notifymeread.closed


def test_a_stream_says_its_stride_and_the_bytes_of_a_frame(camera: Any) -> None:
    stream = camera.stream_configuration("lores")
    planar = stream["format"] == "YUV420"
    assert stream["size"] == SIZE
    assert stream["stride"] >= SIZE[0] * (1 if planar else 3)
    rows = SIZE[1] * 3 // 2 if planar else SIZE[1]
    assert stream["framesize"] >= rows * stream["stride"]


def test_frames_come_with_the_monotonic_clock_in_ns(camera: Any) -> None:
    camera.start()
    stamps = []
    for _ in range(3):
        request = camera.capture_request(wait=5.0)
        stamps.append(request.get_metadata()["SensorTimestamp"])
        request.release()
    assert all(isinstance(each, int) for each in stamps)
    assert stamps == sorted(set(stamps))


def test_a_mapped_array_can_be_written_to_whatever_was_asked(
    camera: Any, library: Library
) -> None:
    camera.start()
    request = camera.capture_request(wait=5.0)
    with library.mapped_array(request, "lores", write=False) as mapped:
        assert mapped.array.flags.writeable
    request.release()


def test_a_request_is_given_back_once(camera: Any) -> None:
    camera.start()
    request = camera.capture_request(wait=5.0)
    request.release()
    with pytest.raises(RuntimeError, match="negative ref_count"):
        request.release()


def test_before_the_start_one_waits_in_vain_and_hears_nothing(camera: Any) -> None:
    with pytest.raises(TimeoutError, match=r"^$"):
        camera.capture_request(wait=SHORT_S)
    camera.cancel_all_and_flush()


def test_after_the_end_one_waits_in_vain_and_hears_nothing(camera: Any) -> None:
    camera.start()
    camera.close()
    with pytest.raises(TimeoutError, match=r"^$"):
        camera.capture_request(wait=SHORT_S)


def test_who_waited_in_vain_takes_the_next_request_all_the_same(camera: Any) -> None:
    """So a driver has to say that it waits no longer."""
    forgotten = camera.capture_request(wait=False)
    with pytest.raises(TimeoutError):
        forgotten.get_result(timeout=SHORT_S)
    camera.start()
    camera.capture_request(wait=5.0).release()
    forgotten.get_result(timeout=0.0).release()


def test_who_waits_no_longer_takes_nothing(camera: Any) -> None:
    job = camera.capture_request(wait=False)
    camera.cancel_all_and_flush()
    camera.start()
    camera.capture_request(wait=5.0).release()
    with pytest.raises(Exception, match=r"^$") as raised:
        job.get_result(timeout=SHORT_S)
    assert type(raised.value).__name__ == "CancelledError"


def test_closing_twice_is_harmless(camera: Any) -> None:
    camera.start()
    camera.close()
    camera.close()


def test_closing_opens_the_heap_of_buffers_again(camera: Any) -> None:
    camera.close()
    assert camera.allocator is not None


def test_a_camera_that_is_in_use_says_so_in_its_cause() -> None:
    """Only the fake: a second process would have to hold the real one."""
    kind: Any = FakePi(grey, busy=True).library().open
    half = kind.__new__(kind)
    with pytest.raises(RuntimeError, match="sequence did not complete") as raised:
        kind.__init__(half, 0)
    close_fully(half)
    assert str(raised.value.__cause__).endswith("Device or resource busy")


def test_without_a_bayer_sensor_raw_and_sensor_are_dropped() -> None:
    """Only the fake: which one is real depends on what is plugged in."""
    pi = FakePi(grey, raw=False, buffers=6)
    library = pi.library()
    found = library.open(0)
    found.configure(configuration_of(found, SIZE, 12.5, True, library.colour_space()))
    assert pi.configuration["raw"] is pi.configuration["sensor"] is None
    assert "NoiseReductionMode" not in pi.configuration["controls"]
    assert pi.configuration["buffer_count"] == 6, "the pipeline's own number"
    found.close()
