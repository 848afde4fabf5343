"""Bars beside a picture are found, and people are where they were in the whole."""

from __future__ import annotations

import numpy as np
import pytest

from doorsill.config import ModelSection
from doorsill.drivers.camera.opening import open_camera
from doorsill.services.detectors import open_detector
from doorsill.values import Frame, Pixels
from doorsill.vision.detect.bars import LOOK_EVERY, LOOKS, BarWatch, find_inside


def scene(height: int = 144, width: int = 256, seed: int = 1) -> Pixels:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), np.uint8)


def barred(picture: Pixels, top: int, side: int, level: int = 0) -> Pixels:
    around = ((top, top), (side, side), (0, 0))
    return np.pad(picture, around, constant_values=level)


@pytest.mark.parametrize(
    ("top", "side", "level"),
    [
        pytest.param(56, 0, 0, id="letterbox"),
        pytest.param(0, 40, 0, id="pillarbox"),
        pytest.param(30, 40, 0, id="a screen in a screen"),
        pytest.param(56, 0, 255, id="white"),
    ],
)
def test_bars_are_found(top: int, side: int, level: int) -> None:
    found = find_inside(barred(scene(), top, side, level))
    assert found == (top, top + 144, side, side + 256)


def test_a_bar_that_a_codec_made_uneven_is_one() -> None:
    picture = barred(scene(), 40, 0, 16)
    noise = np.random.default_rng(2).integers(0, 9, (40, 256, 3), np.uint8)
    picture[:40] += noise
    assert find_inside(picture) == (40, 184, 0, 256)


DARK_FLOOR = scene()
DARK_FLOOR[100:] = 0
TWO_COLOURS = barred(scene(), 30, 0)
TWO_COLOURS[-30:] = 80


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(scene(), id="a plain picture"),
        pytest.param(np.zeros((144, 256, 3), np.uint8), id="a dark one"),
        pytest.param(DARK_FLOOR, id="flat on one side only"),
        pytest.param(TWO_COLOURS, id="of two colours"),
        pytest.param(barred(scene(), 3, 0), id="a thin rim"),
        pytest.param(barred(scene(20), 100, 0), id="hardly anything inside"),
    ],
)
def test_what_is_no_bar(picture: Pixels) -> None:
    assert find_inside(picture) is None


def test_bars_count_after_some_looks_and_end_at_once() -> None:
    watch, picture = BarWatch(), barred(scene(), 56, 0)
    found = [watch.inside(picture) for _ in range(LOOK_EVERY * LOOKS)]
    assert found[: LOOK_EVERY * (LOOKS - 1)] == [None] * LOOK_EVERY * (LOOKS - 1)
    assert found[-1] == (56, 200, 0, 256)
    shown = [watch.inside(scene(256)) for _ in range(LOOK_EVERY)]
    assert shown[-1] is None


def test_a_bar_whose_end_a_codec_blurs_stays_where_it_was_found() -> None:
    watch, found = BarWatch(), []
    for number in range(LOOK_EVERY * LOOKS * 2):
        picture = barred(scene(), 56, 0)
        if number // LOOK_EVERY % 2:
            picture[54:56] = picture[56]
        found.append(watch.inside(picture))
    assert None not in found[LOOK_EVERY * LOOKS :]
    assert len(set(found[LOOK_EVERY * LOOKS :])) == 1


def test_people_between_bars_are_found_where_they_are() -> None:
    camera = open_camera("street", "once", (320, 256), live=False)
    plain, boxed = (open_detector(ModelSection()) for _ in range(2))
    near = total = 0
    for number in range(120):
        frame = camera.read()
        assert frame is not None
        small = frame.pixels[::2, ::2]  # half as large, between bars
        rows, columns = small.shape[:2]
        wide = barred(small, rows // 2, columns // 2)
        whole = plain.detect(frame)
        found = boxed.detect(Frame(wide, frame.time))
        if number < LOOK_EVERY * LOOKS:
            continue
        for x, y in whole.feet[whole.scores > 0.6]:
            total += 1
            off = np.abs(found.feet * 2 - 0.5 - (x, y)).max(axis=1)
            near += bool((off < 0.06).any())
    assert total > 20 and near > 0.6 * total
