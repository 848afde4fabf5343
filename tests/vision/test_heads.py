"""One answer per person from the head detector's two int8 tensors."""

from __future__ import annotations

import numpy as np
import pytest

from doorsill.models.manifest import CHANNELS, HeadsDecode, Quantisation
from doorsill.vision.detect.heads import HeadDecoder
from doorsill.vision.detect.letterbox import Letterbox
from doorsill.vision.geometry import overlap

ROWS, COLUMNS = 32, 40
HEAT, REG = Quantisation(1 / 256, -128), Quantisation(0.03, 0)


class Picture:
    """Heat and regression as a network would give them; heads are painted on."""

    def __init__(self) -> None:
        self.heat = np.full((1, ROWS, COLUMNS, 1), -128, np.int8)
        self.reg = np.zeros((1, ROWS, COLUMNS, CHANNELS), np.int8)

    def head(
        self, row: int, column: int, score: float = 0.8, size: float = 3.0
    ) -> Picture:
        """A head ``size`` cells wide; the body 3 x 8 times that, feet below."""
        self.heat[0, row, column, 0] = round(score * 256 - 128)
        values = [0, 0, np.log(size), np.log(size)]
        values += [0, size * 3 / 4, np.log(size * 2 / 4), np.log(size * 7 / 4)]
        values += [0, size * 7 / 8]
        self.reg[0, row, column] = np.rint(np.array(values) / REG.scale)
        return self


def decode(picture: Picture, threshold: float = 0.35):
    settings = HeadsDecode(threshold, head_overlap=0.3, person_overlap=0.65)
    decoder = HeadDecoder((ROWS, COLUMNS), HEAT, REG, settings)
    return decoder.decode(picture.heat, picture.reg)


def test_nobody_gives_empty_arrays() -> None:
    found = decode(Picture())
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert found.feet.shape == (0, 2)


def test_a_head_gives_head_person_and_foot_point() -> None:
    found = decode(Picture().head(10, 20))
    assert found.scores == pytest.approx([0.8], abs=0.01)
    x, y = 20.5 / COLUMNS, 10.5 / ROWS
    assert found.heads[0] == pytest.approx(
        [x - 1.5 / COLUMNS, y - 1.5 / ROWS, x + 1.5 / COLUMNS, y + 1.5 / ROWS], abs=0.01
    )
    assert found.feet[0] == pytest.approx([x, (10.5 + 21) / ROWS], abs=0.02)
    assert found.boxes[0, 3] == pytest.approx((10.5 + 9 + 10.5) / ROWS, abs=0.03)
    for array in (found.boxes, found.scores, found.heads, found.feet):
        assert array.dtype == np.float32


@pytest.mark.parametrize(
    ("picture", "people"),
    [
        pytest.param(Picture().head(10, 5).head(10, 30), 2, id="far apart"),
        pytest.param(Picture().head(10, 10).head(10, 11, 0.6), 1, id="a neighbour"),
        pytest.param(
            Picture().head(9, 9, 0.8, 4).head(9, 11, 0.7, 4), 1, id="heads overlap"
        ),
        pytest.param(
            Picture().head(10, 10, 0.8, 6).head(12, 12, 0.6, 1), 1, id="nested centre"
        ),
        pytest.param(Picture().head(10, 10, 0.3), 0, id="below the threshold"),
        pytest.param(Picture().head(0, 0).head(31, 39), 2, id="in the corners"),
        pytest.param(Picture().head(10, 10).head(10, 14), 2, id="side by side"),
    ],
)
def test_one_answer_per_person(picture: Picture, people: int) -> None:
    assert len(decode(picture)) == people


def test_the_strongest_comes_first_and_stays() -> None:
    picture = Picture().head(9, 11, 0.6, 4).head(9, 9, 0.9, 4)
    found = decode(picture.head(20, 30, 0.7))
    assert found.scores == pytest.approx([0.9, 0.7], abs=0.01)


def test_the_threshold_is_exact_in_stored_values() -> None:
    picture = Picture().head(10, 10, 0.5)
    assert len(decode(picture, 0.5)) == 1
    assert len(decode(picture, 0.5 + 1 / 512)) == 0


def test_noise_everywhere_stays_bounded() -> None:
    rng = np.random.default_rng(1)
    picture = Picture()
    picture.heat[...] = rng.integers(0, 127, picture.heat.shape)
    picture.reg[...] = rng.integers(-128, 128, picture.reg.shape)
    found = decode(picture)
    assert 0 < len(found) <= 200
    assert np.isfinite(found.boxes).all()
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        pytest.param((0, 0, 2, 2), 1, id="the same"),
        pytest.param((1, 0, 3, 2), 1 / 3, id="half"),
        pytest.param((2, 0, 4, 2), 0, id="touching"),
        pytest.param((0, 5, 2, 6), 0, id="below"),
        pytest.param((0.5, 0.5, 1.5, 1.5), 1 / 4, id="inside"),
    ],
)
def test_overlap_of_known_boxes(other, shared) -> None:
    assert overlap((0, 0, 2, 2), other) == pytest.approx(shared)
    assert overlap(other, (0, 0, 2, 2)) == pytest.approx(shared)


def test_who_is_beside_the_picture_is_dropped_and_boxes_end_at_its_edge() -> None:
    settings = HeadsDecode(0.35, head_overlap=0.3, person_overlap=0.65)
    decoder = HeadDecoder((ROWS, COLUMNS), HEAT, REG, settings)
    # The picture is the input's middle half; one stands left of it, one in it.
    place = Letterbox((COLUMNS, ROWS), (COLUMNS // 2, ROWS))
    assert place.scale == (2.0, 1.0)
    picture = Picture().head(10, 3).head(10, 29)
    found = decoder.decode(picture.heat, picture.reg, place)
    whole = decoder.decode(picture.heat, picture.reg)
    assert (len(found), len(whole)) == (1, 2)
    there = place.to_picture(whole)
    assert found.boxes == pytest.approx(there.boxes, abs=1e-6)
    assert found.heads == pytest.approx(there.heads, abs=1e-6)
    assert found.feet == pytest.approx(there.feet, abs=1e-6)
    assert found.scores.tolist() == there.scores.tolist()
