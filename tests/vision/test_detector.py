"""What lies in the model's input, and where in the picture its answers point."""

import numpy as np
import pytest
from interpreters import FakeInterpreter, ssd_results

from doorsill.errors import ConfigError
from doorsill.values import Detections, Frame
from doorsill.vision.detect.detector import NetDetector, Stages
from doorsill.vision.detect.layout import layout_of
from doorsill.vision.detect.letterbox import Letterbox

SEED = 11


def frame(width: int, height: int) -> Frame:
    rng = np.random.default_rng(SEED)
    return Frame(rng.integers(0, 256, (height, width, 3), np.uint8), 0.0)


def nobody(outputs, place):
    return Detections.none()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize(
    ("size", "top", "left"),
    [
        pytest.param((320, 256), 0, 0, id="fills the input"),
        pytest.param((320, 180), 38, 0, id="16 to 9"),
        pytest.param((144, 256), 0, 88, id="portrait"),
        pytest.param((319, 179), 38, 0, id="odd"),
        pytest.param((1, 1), 127, 159, id="a single pixel"),
    ],
)
def test_the_picture_lies_in_the_middle_of_grey(dtype, size, top, left):
    model = FakeInterpreter(dtype=dtype)
    picture = frame(*size)
    NetDetector(model, nobody).detect(picture)
    width, height = size
    expected = np.full((256, 320, 3), 128, np.uint8)
    expected[top : top + height, left : left + width] = picture.pixels
    assert (model.picture() == expected).all()
    assert model.invoked == 1


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_nobody_stays_in_the_input_when_it_has_been_looked_at(dtype):
    model = FakeInterpreter(dtype=dtype)
    picture = frame(320, 180)
    NetDetector(model, nobody).detect(picture)
    assert (model.picture()[38:218] == picture.pixels).all()
    assert not model.memory[0, 38:218].any()


def test_grey_comes_back_when_the_picture_changes_its_form():
    model = FakeInterpreter()
    detector = NetDetector(model, nobody)
    for size in ((320, 256), (320, 180), (144, 256)):
        detector.detect(frame(*size))
        whole = np.ones((256, 320), bool)
        top, left = (256 - size[1]) // 2, (320 - size[0]) // 2
        whole[top : top + size[1], left : left + size[0]] = False
        assert (model.picture()[whole] == 128).all()


@pytest.mark.parametrize(
    "bend",
    [
        pytest.param(lambda p: np.rot90(p), id="rotated view"),
        pytest.param(lambda p: p[:, 7:-9], id="rows with a stride"),
        pytest.param(lambda p: p[::-1], id="upside down"),
    ],
)
def test_a_view_of_any_stride_is_taken_as_it_is(bend):
    model = FakeInterpreter(shape=(1, 320, 320, 3))
    pixels = bend(frame(320, 240).pixels)
    NetDetector(model, nobody).detect(Frame(pixels, 0.0))
    height, width = pixels.shape[:2]
    top, left = (320 - height) // 2, (320 - width) // 2
    inner = model.picture()[top : top + height, left : left + width]
    assert (inner == pixels).all()


def test_preparing_makes_no_copy_of_the_picture():
    import tracemalloc

    detector = NetDetector(FakeInterpreter(), nobody)
    picture = frame(320, 180)
    detector.detect(picture)
    tracemalloc.start()
    for _ in range(5):
        detector.detect(picture)
    peak = tracemalloc.get_traced_memory()[1]
    keep = picture.pixels.copy()  # the control: a copy is seen
    copied = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8192 < keep.nbytes <= copied


@pytest.mark.parametrize(
    ("content", "there", "here"),
    [
        pytest.param((320, 256), (0.1, 0.2, 0.3, 0.9), (0.1, 0.2, 0.3, 0.9), id="full"),
        pytest.param(
            (320, 128), (0.1, 0.25, 0.3, 0.75), (0.1, 0.0, 0.3, 1.0), id="wide"
        ),
        pytest.param(
            (160, 256), (0.5, 0.2, 0.75, 0.9), (0.5, 0.2, 1.0, 0.9), id="portrait"
        ),
        pytest.param(
            (320, 128), (0.1, 0.1, 0.3, 0.5), (0.1, 0.0, 0.3, 0.5), id="cut at the edge"
        ),
    ],
)
def test_answers_point_into_the_picture(content, there, here):
    place = Letterbox((320, 256), content)
    box = np.array([there], np.float32)
    feet = np.array([[there[0], there[3]]], np.float32)
    found = place.to_picture(Detections(box, np.ones(1, np.float32), box, feet))
    assert np.allclose(found.boxes, [here], atol=1e-6)
    assert np.allclose(found.feet, [[here[0], here[3]]], atol=1e-6)


def test_what_lies_in_the_grey_alone_is_dropped():
    model = FakeInterpreter(post=(0, 1, 2, 3))
    beside, inside = (0.1, 0.01, 0.2, 0.1), (0.4, 0.4, 0.6, 0.7)
    model.say(*ssd_results([beside, inside], [0.9, 0.8]))
    people = NetDetector(model, layout_of(model).decode).detect(frame(320, 128))
    assert np.allclose(people.boxes, [(0.4, 0.3, 0.6, 0.9)], atol=1e-6)
    assert people.scores.tolist() == [np.float32(0.8)]
    assert np.allclose(people.feet, [(0.5, 0.9)], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "dtype", "sentence"),
    [
        pytest.param((1, 256, 320, 3), np.int16, "is int16; int8", id="int16"),
        pytest.param((1, 256, 320, 1), np.int8, "1 x 256 x 320 x 1", id="grey"),
        pytest.param((4, 256, 320, 3), np.int8, "4 x 256 x 320 x 3", id="batch of 4"),
        pytest.param((1, 3, 256, 320), np.int8, "1 x 3 x 256 x 320", id="CHW"),
        pytest.param((1, 1, 1, 3), np.int8, "1 x 1 x 1 x 3", id="dynamic"),
        pytest.param((10,), np.int8, "is 10,", id="a vector"),
    ],
)
def test_a_model_of_the_wrong_shape_is_one_sentence(shape, dtype, sentence):
    with pytest.raises(ConfigError, match=sentence):
        NetDetector(FakeInterpreter(shape=shape, dtype=dtype), nobody)


def test_a_frame_that_does_not_fit_is_named():
    detector = NetDetector(FakeInterpreter(), nobody)
    with pytest.raises(ConfigError, match=r"640x480 does not fit .* 320x256"):
        detector.detect(frame(640, 480))


def test_the_stages_of_the_last_frame_are_told():
    detector = NetDetector(FakeInterpreter(), nobody)
    assert detector.stages == Stages(0, 0, 0)
    detector.detect(frame(320, 256))
    stages = detector.stages
    assert 0 < stages.prepare < 1_000_000
    assert stages.invoke >= 0 and stages.decode >= 0
