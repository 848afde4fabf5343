"""What every open camera holds to: here by pytest, on a virtual Pi by its own Python.

It needs no pytest, because a camera's image has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from doorsill.drivers.camera.camera import Camera
from doorsill.values import Frame

FIT = (320, 256)


def read_some(camera: Camera, count: int = 12) -> Iterator[Frame]:
    """Frames, each released before the next."""
    for _ in range(count):
        frame = camera.read()
        assert isinstance(frame, Frame)
        yield frame
        frame.release()


def pictures_fill_the_model_on_one_side(camera: Camera) -> None:
    for frame in read_some(camera):
        height, width, channels = frame.pixels.shape
        assert channels == 3
        assert frame.pixels.dtype == np.uint8
        assert width == 320 or height == 256
        assert width <= 320 and height <= 256


def the_pixels_are_the_drivers_buffer(camera: Camera) -> None:
    for frame in read_some(camera, 3):
        assert not frame.pixels.flags.owndata or frame.pixels.base is None
        assert frame.pixels.strides[2] == 1


def time_rises(camera: Camera) -> None:
    times = [frame.time for frame in read_some(camera)]
    steps = np.diff(times)
    assert (steps > 0).all()
    assert steps.max() < 2.0


def pictures_differ_from_one_to_the_next(camera: Camera) -> None:
    before = None
    for frame in read_some(camera, 5):
        assert before is None or (frame.pixels != before).any()
        before = frame.pixels.copy()


def closing_twice_is_harmless(camera: Camera) -> None:
    camera.read()
    camera.close()
    camera.close()


CONTRACT: tuple[Callable[[Camera], None], ...] = (
    pictures_fill_the_model_on_one_side,
    the_pixels_are_the_drivers_buffer,
    time_rises,
    pictures_differ_from_one_to_the_next,
    closing_twice_is_harmless,
)
