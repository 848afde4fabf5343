"""Boxes, classes and scores become people, finished or raw."""

from math import log

import numpy as np
import pytest
from interpreters import FakeInterpreter, ssd_results

from doorsill.models.stated import Coding
from doorsill.vision.detect.letterbox import WHOLE
from doorsill.vision.detect.ssd import BoxForm, RawDecoder, SsdDecoder, decode_boxes

LEFT, RIGHT = (0.1, 0.2, 0.3, 0.9), (0.6, 0.1, 0.9, 0.8)
NEAR_LEFT = (0.11, 0.2, 0.31, 0.9)  # IoU with LEFT 0.9
SIZE = (320, 256)
FORM = BoxForm(SIZE)


def people_in(*results, person_class=0, order=(0, 1, 2, 3)):
    """What the decoder makes of the results in the order of the operation."""
    outputs = FakeInterpreter(outputs=results).outputs()
    return SsdDecoder(order, FORM, person_class)(outputs, WHOLE)


@pytest.mark.parametrize(
    ("boxes", "scores", "classes", "count", "found"),
    [
        pytest.param([LEFT, RIGHT], [0.9, 0.8], [0, 0], 2, [LEFT, RIGHT], id="two"),
        pytest.param([LEFT, RIGHT], [0.4, 0.8], [0, 0], 2, [RIGHT, LEFT], id="sorted"),
        pytest.param([LEFT, RIGHT], [0.9, 0.2], [0, 0], 2, [LEFT], id="one is weak"),
        pytest.param([LEFT, RIGHT], [0.9, 0.8], [0, 17], 2, [LEFT], id="and a cat"),
        pytest.param([LEFT, RIGHT], [0.9, 0.8], [0, 0], 1, [LEFT], id="rest is stale"),
        pytest.param([LEFT, RIGHT], [0.9, 0.8], [0, 0], 0, [], id="count says none"),
        pytest.param([LEFT, RIGHT], [0.9, 0.8], [0, 0], -1, [], id="count is absurd"),
        pytest.param([LEFT], [0.9], [0], 99, [LEFT], id="count is above n"),
        pytest.param([LEFT], [0.9], [0], np.inf, [LEFT], id="count is infinite"),
        pytest.param([LEFT], [0.9], [0], np.nan, [], id="count is no number"),
        pytest.param([LEFT], [np.nan], [0], 1, [], id="score is no number"),
        pytest.param([LEFT], [0.9], [np.nan], 1, [], id="class is no number"),
        pytest.param(
            [(0.1, np.nan, 0.3, 0.9), RIGHT], [0.9, 0.8], [0, 0], 2, [RIGHT],
            id="box is no number",
        ),
        pytest.param(
            [LEFT, NEAR_LEFT, RIGHT], [0.6, 0.9, 0.5], [0, 0, 0], 3,
            [NEAR_LEFT, RIGHT], id="twice the same person",
        ),
    ],
)  # fmt: skip
def test_people_are_found_in_the_four_results(boxes, scores, classes, count, found):
    people = people_in(*ssd_results(boxes, scores, classes, count))
    assert np.allclose(people.boxes, np.array(found, np.float32).reshape(-1, 4))
    assert len(people.heads) == len(people.feet) == len(people) == len(found)
    assert people.boxes.dtype == people.scores.dtype == np.float32


def test_without_a_count_every_strong_row_is_taken():
    results = ssd_results([LEFT, RIGHT, RIGHT], [0.9, 0.8, 0.0], [0, 0, 0], 1)
    people = people_in(*results[:3], order=(0, 1, 2, -1))
    assert np.allclose(people.boxes, [LEFT, RIGHT])


def test_the_class_of_a_person_can_be_another():
    results = ssd_results([LEFT, RIGHT], [0.9, 0.8], [0, 1])
    assert np.allclose(people_in(*results, person_class=1).boxes, [RIGHT])


def test_feet_stand_at_the_bottom_and_heads_at_the_top():
    people = people_in(*ssd_results([LEFT], [0.9]))
    assert np.allclose(people.feet, [[0.2, 0.9]])
    x0, y0, x1, y1 = people.heads[0]
    assert y0 == np.float32(0.2)
    assert y1 - y0 == pytest.approx(0.7 / 7)
    assert (x0 + x1) / 2 == pytest.approx(0.2)
    # 320 x 256: 0.1 of the height is 25.6 pixels, 3/4 of that is 0.06 of the width.
    assert x1 - x0 == pytest.approx(0.06)


@pytest.mark.parametrize("swapped", [False, True], ids=["as guessed", "swapped"])
def test_classes_and_scores_are_told_by_the_first_numbers_that_differ(swapped):
    order = (0, 2, 1, 3) if swapped else (0, 1, 2, 3)
    decode = SsdDecoder(order, FORM, unsettled=True)

    def people(boxes, scores, classes):
        results = ssd_results(boxes, scores, classes)
        return decode(FakeInterpreter(outputs=results).outputs(), WHOLE)

    assert not len(people([LEFT, RIGHT], [0, 0], [0, 0])), "both may be either"
    assert not len(people([LEFT, RIGHT], [1, 0], [0, 1])), "both may be either"
    found = people([LEFT, RIGHT], [0.9, 0.5], [0, 17])
    assert np.allclose(found.boxes, [LEFT])
    assert not decode.unsettled
    assert len(people([LEFT], [1.0], [0])) == 1, "what is settled stays so"


@pytest.mark.parametrize(
    ("form", "written"),
    [
        pytest.param(BoxForm(SIZE), (0.2, 0.1, 0.9, 0.3), id="TensorFlow's own"),
        pytest.param(BoxForm(SIZE, (0, 1, 2, 3)), LEFT, id="x first"),
        pytest.param(
            BoxForm(SIZE, (0, 1, 2, 3), "upper left"), (0.1, 0.2, 0.2, 0.7), id="sizes"
        ),
        pytest.param(
            BoxForm(SIZE, (0, 1, 2, 3), "centre"), (0.2, 0.55, 0.2, 0.7), id="middles"
        ),
        pytest.param(
            BoxForm(SIZE, pixels=True), (51.2, 32, 230.4, 96), id="pixels, said"
        ),
        pytest.param(BoxForm(SIZE), (51.2, 32, 230.4, 96), id="pixels, seen"),
    ],
)
def test_a_box_can_be_written_in_many_ways(form, written):
    assert np.allclose(form.corners(np.array([written], np.float32)), [LEFT])


def coded(box, anchor, scales):
    """What a network would say of ``box``, by hand: the other way round."""
    x0, y0, x1, y1 = box
    x, y, wide, tall = anchor
    return [
        ((y0 + y1) / 2 - y) / tall * scales[0],
        ((x0 + x1) / 2 - x) / wide * scales[1],
        log((y1 - y0) / tall) * scales[2],
        log((x1 - x0) / wide) * scales[3],
    ]


ANCHORS = np.array([[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.3, 0.3]], np.float32)


@pytest.mark.parametrize("scales", [(10, 10, 5, 5), (1, 1, 1, 1)], ids=str)
def test_boxes_come_back_from_their_anchors(scales):
    written = [coded(RIGHT, ANCHORS[0], scales), coded(LEFT, ANCHORS[1], scales)]
    found = decode_boxes(
        np.array(written, np.float32), ANCHORS, Coding(ANCHORS, scales)
    )
    assert np.allclose(found, [RIGHT, LEFT], atol=1e-6)


def test_a_box_that_explodes_is_no_number_and_no_warning():
    written = np.array([[0, 0, 9e9, -9e9], [np.nan, 0, 0, 0]], np.float32)
    found = decode_boxes(written, ANCHORS, Coding(ANCHORS, (1, 1, 1, 1)))
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).any()


@pytest.mark.parametrize("logits", [False, True], ids=["shares", "logits"])
def test_raw_boxes_are_chosen_by_the_column_of_people(logits):
    scales = (10, 10, 5, 5)
    boxes = np.array(
        [[coded(LEFT, ANCHORS[0], scales), coded(RIGHT, ANCHORS[1], scales)]],
        np.float32,
    )
    shares = np.array([[[0.9, 0.31, 0.1], [0.1, 0.8, 0.2]]], np.float32)
    scores = np.log(shares / (1 - shares)) if logits else shares
    decode = RawDecoder(0, 1, 3, 1, FORM, Coding(ANCHORS, scales), logits)
    people = decode(FakeInterpreter(outputs=[boxes, scores]).outputs(), WHOLE)
    assert np.allclose(people.boxes, [RIGHT, LEFT], atol=1e-6)
    assert np.allclose(people.scores, [0.8, 0.31])
    assert people.boxes.dtype == people.scores.dtype == np.float32


def test_raw_boxes_of_nobody_are_nobody():
    decode = RawDecoder(0, 1, 1, 0, FORM, Coding(ANCHORS, (1, 1, 1, 1)))
    for boxes, scores in (
        (np.zeros((1, 2, 4)), np.zeros((1, 2, 1))),
        (np.full((1, 2, 4), np.nan), np.ones((1, 2, 1))),
        (np.zeros((1, 2, 4)), np.full((1, 2, 1), np.nan)),
    ):
        values = [boxes.astype(np.float32), scores.astype(np.float32)]
        assert not len(decode(FakeInterpreter(outputs=values).outputs(), WHOLE))
