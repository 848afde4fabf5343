"""A stored picture becomes the one that a player shows: turned, mirrored, one field."""

from __future__ import annotations

import gc
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from recordings import record

from doorsill.drivers.camera.upright import (
    FirstField,
    Orientation,
    Scaler,
    orientation_of,
)

ONE = 0x10000
STORED = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        pytest.param((1, 0, 0, 1), [[0, 1, 2], [3, 4, 5]], id="as stored"),
        pytest.param((0, 1, -1, 0), [[3, 0], [4, 1], [5, 2]], id="a quarter clockwise"),
        pytest.param((-1, 0, 0, -1), [[5, 4, 3], [2, 1, 0]], id="upside down"),
        pytest.param((0, -1, 1, 0), [[2, 5], [1, 4], [0, 3]], id="three quarters"),
        pytest.param((-1, 0, 0, 1), [[2, 1, 0], [5, 4, 3]], id="mirrored"),
        pytest.param((1, 0, 0, -1), [[3, 4, 5], [0, 1, 2]], id="flipped"),
        pytest.param((0, 1, 1, 0), [[0, 3], [1, 4], [2, 5]], id="turned and mirrored"),
        pytest.param((0, -1, -1, 0), [[5, 2], [4, 1], [3, 0]], id="and the other way"),
    ],
)
def test_each_of_the_eight_matrices_shows_its_picture(
    entries: tuple[int, int, int, int], shown: list[list[int]]
) -> None:
    found = orientation_of(matrix(*(each * ONE for each in entries)))
    assert found.turn(STORED)[..., 0].tolist() == shown


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="no matrix"),
        pytest.param(b"", id="an empty one"),
        pytest.param(b"\0" * 12, id="one that is cut"),
        pytest.param(matrix(65530, 700, -700, 65530), id="a camera that hangs askew"),
    ],
)
def test_what_asks_for_no_quarter_turn_is_left_as_it_is(said: bytes | None) -> None:
    assert orientation_of(said) == Orientation()


def woven(kind: str) -> av.VideoFrame:
    """A frame of one moment in its even rows (white) and another in its odd ones."""
    picture = np.zeros((64, 48, 3), np.uint8)
    picture[::2] = 255
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=kind)
    frame.time_base, frame.pts = Fraction(1, 25), 0
    return frame


def test_one_field_is_one_moment() -> None:
    field = FirstField()
    first = field.of(woven("yuv422p"))
    assert (first.width, first.height) == (48, 32)
    light = first.reformat(format="gray").to_ndarray()
    assert light.min() > 250  # both together would be grey
    assert field.of(woven("yuv422p")).height == 32
    assert field.of(woven("yuv444p")).height == 32  # a stream may change on the way


def test_both_fields_together_are_a_ghost() -> None:  # the control of the test above
    frame = woven("yuv422p")
    assert not frame.interlaced_frame  # it does not say what it is
    mixed = Scaler((24, 32)).pixels(frame)
    assert 100 < mixed.mean() < 160


@pytest.mark.parametrize(
    "aspect",
    [
        pytest.param(1.0, id="square"),
        pytest.param(4 / 3, id="wider than high"),
        pytest.param(0.5, id="higher than wide"),
    ],
)
def test_a_picture_keeps_its_shape_inside_the_models(aspect: float) -> None:
    frame = av.VideoFrame(240, 320, "yuv420p")
    pixels = Scaler((240, 320), aspect).pixels(frame)
    height, width = pixels.shape[:2]
    assert width / height == pytest.approx(240 * aspect / 320, rel=0.02)


def frames_alive() -> int:
    return sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())


@pytest.mark.parametrize("held", [False, True], ids=["ours", "control: in a ring"])
def test_no_frame_stays_in_memory_until_the_collector_runs(
    tmp_path: Path, held: bool
) -> None:
    """A picture that was let go of must be gone, and its place in the pool reused.

    PyAV 18 makes a ring of a frame that is asked for its side data.
    """
    path = record(tmp_path / "door.mp4", frames=30)
    with av.open(str(path)) as container:
        scaler = Scaler((320, 256))
        gc.collect()
        before = frames_alive()
        gc.disable()
        try:
            for frame in container.decode(video=0):
                scaler.pixels(frame)
                if held:
                    ring: list[object] = [frame]
                    ring.append(ring)
                    del ring
            del frame
            alive = frames_alive() - before
        finally:
            gc.enable()
    assert alive >= 29 if held else alive <= 1
