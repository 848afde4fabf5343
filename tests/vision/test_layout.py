"""Which output is what: known by operation, metadata, names, shapes or numbers."""

from itertools import permutations

import numpy as np
import pytest
from interpreters import FakeInterpreter, ssd_results

from doorsill.drivers.model.graph import Ends
from doorsill.errors import ConfigError
from doorsill.models.manifest import Overrides
from doorsill.models.stated import Coding, Stated
from doorsill.vision.detect.anchors import by_rule
from doorsill.vision.detect.layout import layout_of
from doorsill.vision.detect.letterbox import WHOLE

LEFT = (0.1, 0.2, 0.3, 0.9)
OTHER = (0.6, 0.1, 0.9, 0.8)
RESULTS = ssd_results([LEFT, OTHER], [0.9, 0.8], [0, 17])
NAMES = ("location", "category", "score", "number of detections")
SQUARE = (1, 320, 320, 3)
ORDERS = list(permutations(range(4)))


def found_by(fake: FakeInterpreter, said=None, overrides=None) -> np.ndarray:
    return layout_of(fake, said, overrides).decode(fake.outputs(), WHOLE).boxes


def laid_out(values, order):
    out = [None] * 4
    for value, place in zip(values, order, strict=True):
        out[place] = value
    return out


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("by", ["operation", "metadata", "names", "numbers"])
def test_the_order_of_the_outputs_does_not_matter(order, by):
    fake = FakeInterpreter(
        outputs=laid_out(RESULTS, order),
        post=order if by == "operation" else (),
        names=laid_out(NAMES, order) if by == "names" else (),
    )
    said = Stated(outputs=tuple(laid_out(NAMES, order))) if by == "metadata" else None
    assert np.allclose(found_by(fake, said), [LEFT])


@pytest.mark.parametrize(
    ("columns", "person"),
    [
        pytest.param(91, 0, id="COCO with a background"),
        pytest.param(80, 0, id="COCO without its gaps"),
        pytest.param(2, 0, id="one kind and a background"),
        pytest.param(21, 14, id="Pascal VOC"),
    ],
)
def test_the_class_of_people_goes_by_the_number_of_kinds(columns, person):
    results = ssd_results([OTHER, LEFT], [0.9, 0.8], [person + 1, person])
    ends = Ends(kinds=columns)
    fake = FakeInterpreter(outputs=results, post=range(4), ends=ends)
    layout = layout_of(fake)
    assert np.allclose(layout.decode(fake.outputs(), WHOLE).boxes, [LEFT])
    assert layout.doubts == []


def test_kinds_that_nobody_names_are_refused_and_not_guessed():
    fake = FakeInterpreter(outputs=RESULTS, post=range(4), ends=Ends(kinds=4))
    with pytest.raises(ConfigError, match=r"4 kinds of things .* person = N"):
        layout_of(fake)
    assert layout_of(fake, Stated(labels=("cat", "person"))).doubts == []
    assert layout_of(fake, None, Overrides(1)).doubts == []


def test_a_class_that_is_assumed_is_a_doubt():
    """A finished detector without the operation: its classes may begin at 1."""
    fake = FakeInterpreter(outputs=RESULTS[:3], names=NAMES[:3])
    assert "class 0 is taken" in layout_of(fake).doubts[0]
    fake.ends = Ends(kinds=91)  # something was done to what the operation gave
    assert "class 0 is taken" in layout_of(fake).doubts[0]
    assert layout_of(fake, Stated(labels=("person",))).doubts == []
    assert layout_of(fake, None, Overrides(1)).doubts == []


def test_classes_as_whole_numbers_are_no_scores():
    boxes, classes, scores, _ = RESULTS
    fake = FakeInterpreter(outputs=[boxes, scores, classes.astype(np.int32)])
    layout = layout_of(fake)
    assert not layout.decode.unsettled
    assert np.allclose(layout.decode(fake.outputs(), WHOLE).boxes, [LEFT])


@pytest.mark.parametrize(
    ("labels", "person"),
    [
        pytest.param((), 0, id="none: the first class"),
        pytest.param(("person", "car"), 0, id="first"),
        pytest.param(("car", "person"), 1, id="second"),
        pytest.param(("???", "person"), 0, id="behind a background"),
        pytest.param(("car", "pedestrian"), 1, id="by another word"),
    ],
)
def test_the_class_of_people_goes_by_the_labels(labels, person):
    fake = FakeInterpreter(outputs=RESULTS, post=(0, 1, 2, 3))
    assert layout_of(fake, Stated(labels=labels)).decode.person_class == person


def raw(count: int, columns: int, shape=SQUARE, **options) -> FakeInterpreter:
    """A raw detector that says of no anchor that anybody is there."""
    rng = np.random.default_rng(3)
    boxes = rng.normal(0, 1, (1, count, 4)).astype(np.float32)
    scores = rng.normal(-9, 1, (1, count, columns)).astype(np.float32)
    return FakeInterpreter(shape, np.uint8, [boxes, scores], **options)


@pytest.mark.parametrize(
    ("columns", "labels", "column"),
    [
        pytest.param(1, (), 0, id="one kind"),
        pytest.param(90, (), 0, id="COCO with its gaps"),
        pytest.param(91, (), 1, id="and a background"),
        pytest.param(3, ("cat", "person", "dog"), 1, id="labels"),
        pytest.param(4, ("cat", "person", "dog"), 2, id="labels without background"),
        pytest.param(2, ("???", "cat", "person"), 1, id="labels with one too many"),
    ],
)
def test_the_column_of_people_goes_by_labels_or_by_their_number(
    columns, labels, column
):
    layout = layout_of(raw(2034, columns), Stated(labels=labels))
    assert layout.decode.column == column


def test_a_manifest_says_which_column_and_which_anchors():
    overrides = Overrides(4, "efficientdet", 4.0)
    decode = layout_of(raw(19206, 24), None, overrides).decode
    assert decode.column == 4
    wide = by_rule("efficientdet", (320, 320)).anchors[0, 2]
    assert decode.coding.anchors[0, 2] == pytest.approx(wide * 4 / 3)


@pytest.mark.parametrize(
    ("count", "rule"), [(2034, "ssd"), (12804, "retina"), (19206, "efficientdet")]
)
def test_the_number_of_boxes_names_the_rule_of_their_anchors(count, rule):
    layout = layout_of(raw(count, 1))
    assert f"{count} raw boxes, anchors by the rule {rule}" in layout.words


@pytest.mark.parametrize(
    ("ends", "logits"),
    [
        pytest.param(Ends(), True, id="numbers beyond 0 to 1"),
        pytest.param(Ends(makers=("CONV_2D", "LOGISTIC")), False, id="squeezed"),
    ],
)
def test_scores_are_squeezed_once(ends, logits):
    assert layout_of(raw(2034, 1, ends=ends)).decode.logits is logits


def test_the_metadata_has_the_last_word_on_anchors_and_scores():
    anchors = np.full((7, 4), 0.5, np.float32)
    said = Stated(coding=Coding(anchors, (1, 1, 1, 1), sigmoid=False))
    decode = layout_of(raw(7, 1), said).decode
    assert (decode.coding.anchors == anchors).all() and not decode.logits


@pytest.mark.parametrize("x_first", [False, True], ids=["y first", "x first"])
@pytest.mark.parametrize("factor", [1, 320], ids=["shares", "pixels"])
def test_boxes_that_are_no_code_are_taken_as_they_are(x_first, factor):
    """Row by row over a grid, as a detector decodes them in its own graph."""
    x, y = np.meshgrid(np.arange(20) / 20, np.arange(20) / 20)
    grid = np.stack([y, x, y + 0.1, x + 0.04], axis=-1).reshape(1, -1, 4)
    scores = np.zeros((1, 400, 1), np.float32)
    scores[0, 45] = 0.9  # row 2, column 5
    order = [1, 0, 3, 2] if x_first else [0, 1, 2, 3]
    boxes = (grid[..., order] * factor).astype(np.float32)
    fake = FakeInterpreter(SQUARE, np.uint8, [boxes, scores])
    assert np.allclose(found_by(fake), [(0.25, 0.1, 0.29, 0.2)], atol=1e-6)


ZEROS = np.zeros
REFUSED = [
    pytest.param([(1, 1001)], "one row of 1001 numbers", id="classification"),
    pytest.param([(1, 144, 256, 1)], "a map of the picture", id="segmentation"),
    pytest.param([(1, 84, 2100)], "all in one table, as YOLO", id="YOLO"),
    pytest.param([(1, 896, 16), (1, 896, 1)], "boxes with key points", id="faces"),
    pytest.param([(1, 32, 40, 10), (1, 32, 40, 1)], r"manifest \(.toml\)", id="ours"),
    pytest.param([(1, 18), (1, 1)], "a detector gives boxes, n x 4", id="a pose"),
    pytest.param([(1, 4), (1, 2)], "a detector gives boxes, n x 4", id="four numbers"),
    pytest.param([()], "a detector gives boxes", id="a single number"),
    pytest.param([(1, 7, 4), (1, 7, 1)], "7 boxes relative to anchors", id="anchors"),
    pytest.param(
        [(1, 2034, 4), (1, 2034, 24)],
        "24 kinds of things and no label says .* person = N",
        id="kinds without labels",
    ),
    pytest.param(
        [(1, 9, 4), (1, 9), (1, 9), (1, 9)], "neither names nor metadata", id="three"
    ),
]


@pytest.mark.parametrize(("shapes", "sentence"), REFUSED)
def test_what_is_no_detector_is_refused_by_what_was_found(shapes, sentence):
    outputs = [ZEROS(shape, np.float32) for shape in shapes]
    with pytest.raises(ConfigError, match=sentence) as caught:
        layout_of(FakeInterpreter(SQUARE, np.uint8, outputs))
    assert "the model gives" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "overrides", "sentence"),
    [
        pytest.param(
            Stated(labels=("cat", "dog")), None, "2 labels is a person: cat, dog",
            id="cats and dogs",
        ),
        pytest.param(
            Stated(labels=("cat", "person", "dog")), None, "91 kinds .* 3 labels",
            id="labels of another model",
        ),
        pytest.param(
            Stated(coding=Coding(np.zeros((7, 4), np.float32), (1, 1, 1, 1))), None,
            "gives 2034 boxes, its metadata 7 anchors", id="anchors of another model",
        ),
        pytest.param(None, Overrides(91), "are 91 columns", id="person is too far"),
        pytest.param(
            None, Overrides(0, "efficientdet"), "makes 19206", id="wrong rule"
        ),
    ],
)  # fmt: skip
def test_what_file_and_manifest_say_must_fit(said, overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        layout_of(raw(2034, 91), said, overrides)


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param([(1, 9, 5), (1, 9), (1, 9), (1,)], id="five numbers a box"),
        pytest.param([(1, 9, 4), (1, 8), (1, 9), (1,)], id="a class is missing"),
        pytest.param([(), (), (), ()], id="shapes unknown"),
    ],
)
def test_results_of_a_wrong_shape_are_named(shapes):
    outputs = [ZEROS(shape, np.float32) for shape in shapes]
    with pytest.raises(ConfigError, match="an SSD gives 1 x n x 4"):
        layout_of(FakeInterpreter(outputs=outputs, post=(0, 1, 2, 3)))
