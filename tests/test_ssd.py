"""Any SSD file of the field drops in; what is none gets a sentence."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from interpreters import (
    FakeInterpreter,
    inputs_of_post_process,
    results_of_post_process,
    ssd_results,
    with_outputs,
)
from PIL import Image

from doorsill.drivers import runtime
from doorsill.errors import ConfigError
from doorsill.values import Frame
from doorsill.vision.detector import NetDetector
from doorsill.vision.letterbox import WHOLE
from doorsill.vision.ssd import ssd_decoder

SHARED = Path("../shared/data")
SSD = SHARED / "models/ssd_mobilenet_v1_coco_uint8.tflite"
LEFT, RIGHT = (0.1, 0.2, 0.3, 0.9), (0.6, 0.1, 0.9, 0.8)
NEAR_LEFT = (0.11, 0.2, 0.31, 0.9)  # IoU with LEFT 0.9


@pytest.fixture(scope="module")
def ssd() -> bytes:
    if not SSD.exists():
        pytest.skip(f"{SSD} is not here")
    return SSD.read_bytes()


def decoded(*results, order=(0, 1, 2, 3), person_class=0):
    """What the decoder makes of the results, laid out as in ``order``."""
    outputs = [None] * 4
    for result, place in zip(results, order, strict=True):
        outputs[place] = result
    fake = FakeInterpreter(outputs=outputs, post=order)
    return ssd_decoder(fake, person_class)(fake.outputs(), WHOLE)


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
    people = decoded(*ssd_results(boxes, scores, classes, count))
    assert np.allclose(people.boxes, np.array(found, np.float32).reshape(-1, 4))
    assert len(people.heads) == len(people.feet) == len(people) == len(found)
    assert people.boxes.dtype == people.scores.dtype == np.float32


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_the_order_of_the_outputs_does_not_matter(order):
    people = decoded(*ssd_results([LEFT], [0.9]), order=order)
    assert np.allclose(people.boxes, [LEFT])


def test_the_class_of_a_person_can_be_another():
    results = ssd_results([LEFT, RIGHT], [0.9, 0.8], [0, 1])
    assert np.allclose(decoded(*results, person_class=1).boxes, [RIGHT])


def test_feet_stand_at_the_bottom_and_heads_at_the_top():
    people = decoded(*ssd_results([LEFT], [0.9]))
    assert np.allclose(people.feet, [[0.2, 0.9]])
    x0, y0, x1, y1 = people.heads[0]
    assert y0 == np.float32(0.2)
    assert y1 - y0 == pytest.approx(0.7 / 7)
    assert (x0 + x1) / 2 == pytest.approx(0.2)
    # 320 x 256: 0.1 of the height is 25.6 pixels, 3/4 of that is 0.06 of the width.
    assert x1 - x0 == pytest.approx(0.06)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5], ids=str)
def test_a_real_model_with_its_outputs_in_another_order(ssd, order):
    results = results_of_post_process(ssd)
    bent = with_outputs(ssd, [results[each] for each in order])
    detector = _detector(bent)
    people = detector.detect(_picture(SHARED / "images/grace_hopper.bmp", 300))
    assert (people.scores >= 0.5).sum() == 1
    x0, y0, x1, y1 = people.boxes[0]
    assert x0 < 0.1 and y0 < 0.15 and x1 > 0.9 and y1 > 0.9, "she fills the portrait"


def test_a_raw_ssd_is_told_to_export_its_post_process(ssd):
    raw = with_outputs(ssd, inputs_of_post_process(ssd))
    with pytest.raises(ConfigError) as caught:
        _detector(raw)
    assert str(caught.value) == (
        "the model gives 1 x 1917 x 4 and 1 x 1917 x 91 and has no"
        " TFLite_Detection_PostProcess operation: export it with post-processing"
        " (or give one of ours by its name)"
    )


def test_a_model_of_another_kind_is_refused(ssd):
    with pytest.raises(ConfigError, match="gives 1 x 84 x 2100 and has no"):
        ssd_decoder(FakeInterpreter(outputs=[np.zeros((1, 84, 2100), np.float32)]))


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param([(1, 9, 5), (1, 9), (1, 9), (1,)], id="five numbers a box"),
        pytest.param([(1, 9, 4), (1, 8), (1, 9), (1,)], id="a class is missing"),
        pytest.param([(), (), (), ()], id="shapes unknown"),
    ],
)
def test_results_of_a_wrong_shape_are_named(shapes):
    outputs = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ConfigError, match="an SSD gives 1 x n x 4"):
        ssd_decoder(FakeInterpreter(outputs=outputs, post=(0, 1, 2, 3)))


def _detector(model: bytes) -> NetDetector:
    interpreter = runtime.load(model)
    return NetDetector(interpreter, ssd_decoder(interpreter))


def _picture(path: Path, most: int) -> Frame:
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((most, most))
    return Frame(np.asarray(picture), 0.0)
