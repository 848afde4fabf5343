"""Crops of people, and answers that may be unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from doorsill.drivers.model.interpreter import Output, Tensor
from doorsill.models.manifest import Quantisation
from doorsill.values import Age, Expression
from doorsill.vision.attributes.appearance import (
    CROP_LENGTH,
    GREY,
    HEAD_PLACE,
    Appearance,
    cut_portrait,
    softmax,
)

LONG, WIDE = 60, 30  # of a crop: 8 pixels to a head
HEAD_ROW, HEAD_COLUMN = round(HEAD_PLACE / CROP_LENGTH * LONG), WIDE // 2


@dataclass(frozen=True)
class Stated:
    """What a manifest says of one output."""

    name: str
    shape: tuple[int, ...]
    bands: tuple[str, ...]
    quantisation: Quantisation
    least_confidence: float = 0.6
    temperature: float = 1.0


class Net:
    """Answers with fixed logits and remembers what it was shown."""

    scales = (0.1, 0.05)  # of age and expression

    def __init__(self, age: list[float], expression: list[float]) -> None:
        self.input = Tensor("x", (1, LONG, WIDE, 3), np.dtype(np.int8), 1 / 128, 0)
        self.post_process = ()
        self.memory = np.zeros((1, LONG, WIDE, 3), np.int8)
        self.shown: list[np.ndarray] = []
        self.logits = (age, expression)

    def input_view(self) -> np.ndarray:
        return self.memory

    def invoke(self) -> None:
        self.shown.append(self.memory.copy())

    def outputs(self) -> tuple[Output, ...]:
        return tuple(
            Output(
                Tensor("y", (1, len(row)), np.dtype(np.int8), scale, 0),
                np.array([row], np.float32) / scale,
            )
            for row, scale in zip(self.logits, self.scales, strict=True)
        )


FOUR = ("child", "adult", "adult", "adult")


def reader(net: Net, bands: tuple[str, ...] = FOUR) -> Appearance:
    age, expression = (Quantisation(scale, 0) for scale in Net.scales)
    both = ("feminine", "masculine")
    return Appearance(
        net,
        (
            Stated("expression", (1, 2), both, expression),
            Stated("age", (1, len(bands)), bands, age),
        ),
    )


def picture() -> np.ndarray:
    """Red rises to the right, green downwards."""
    y, x = np.mgrid[:100, :200]
    return np.stack([x, y, 0 * x], axis=2).astype(np.uint8)


def cut(head: list[float], body: list[float]) -> np.ndarray:
    out = np.zeros((LONG, WIDE, 3), np.uint8)
    cut_portrait(picture(), np.array(head), np.array(body), out)
    return out


def middle(out: np.ndarray) -> tuple[float, float]:
    """Where in the picture the place of the head was read from: x, y."""
    x, y, _ = out[HEAD_ROW, HEAD_COLUMN].astype(float)
    return x, y


HEAD = [0.45, 0.4, 0.55, 0.6]  # at (100, 50), 20 pixels wide and high


def test_a_crop_keeps_the_aspect_and_shows_the_whole_person() -> None:
    out = cut([0.475, 0.05, 0.525, 0.15], [0.4, 0.05, 0.6, 0.75])  # a head of 10 pixels
    step_x = np.diff(out[20, :, 0].astype(int)).mean()
    step_y = np.diff(out[5:55, 8, 1].astype(int)).mean()
    assert step_x == pytest.approx(step_y, abs=0.1)
    assert middle(out) == pytest.approx((100, 10), abs=2)
    assert int(out[-1, 8, 1]) == pytest.approx(
        10 + (CROP_LENGTH - HEAD_PLACE) * 10, abs=2
    )


@pytest.mark.parametrize(
    ("body", "below", "right"),
    [
        pytest.param([0.4, 0.4, 0.6, 1.0], (0, 1), (1, 0), id="upright"),
        pytest.param([0.4, 0.0, 0.6, 0.6], (0, -1), (-1, 0), id="seen head down"),
        pytest.param([0.45, 0.3, 1.0, 0.7], (1, 0), (0, -1), id="to the right"),
        pytest.param([0.0, 0.3, 0.55, 0.7], (-1, 0), (0, 1), id="to the left"),
        pytest.param([0.42, 0.36, 0.58, 0.6], (0, 1), (1, 0), id="from right above"),
    ],
)
def test_the_body_lies_below_the_head_in_any_view(
    body: list[float], below: tuple[int, int], right: tuple[int, int]
) -> None:
    out = cut(HEAD, body)
    assert middle(out) == pytest.approx((100, 50), abs=3)
    down = out[HEAD_ROW + 10, HEAD_COLUMN, :2] - out[HEAD_ROW, HEAD_COLUMN, :2] * 1.0
    side = out[HEAD_ROW, HEAD_COLUMN + 5, :2] - out[HEAD_ROW, HEAD_COLUMN, :2] * 1.0
    assert down == pytest.approx(np.multiply(below, 25), abs=2)
    assert side == pytest.approx(np.multiply(right, 12.5), abs=2)


def test_what_lies_beside_the_picture_is_grey() -> None:
    out = cut([-0.05, 0.0, 0.05, 0.2], [-0.1, 0, 0.1, 0.9])
    assert (out[:, 0] == GREY).all()
    assert (out[-1] == GREY).all()
    assert (out[HEAD_ROW, -1] != GREY).any()


def test_shares_sum_to_one_and_nobody_stays_in_memory() -> None:
    net = Net([0, 3, 0, 0], [0, 2])
    heads = np.array([[0.4, 0.3, 0.5, 0.5], [0.6, 0.3, 0.7, 0.5]], np.float32)
    ages, expressions = reader(net).read(picture(), heads, heads)
    assert ages.sum(axis=1) == pytest.approx([1, 1])
    assert expressions.shape == (2, 2)
    assert len(net.shown) == 2
    assert net.shown[0].any()
    assert not net.memory.any()


@pytest.mark.parametrize(
    ("age", "expression", "want"),
    [
        ([5, 0, 0, 0], [0, 5], (Age.CHILD, Expression.MASCULINE)),
        ([0, 0, 0, 5], [5, 0], (Age.ADULT, Expression.FEMININE)),
        ([0, 1, 1, 1], [5, 0], (Age.ADULT, Expression.FEMININE)),
        ([1, 0, 0, 0], [1, 1], (Age.UNKNOWN, Expression.UNKNOWN)),
    ],
    ids=["sure", "sure of the opposite", "of which adult, in doubt", "in doubt"],
)
def test_in_doubt_the_answer_is_unknown(
    age: list[float], expression: list[float], want: tuple[Age, Expression]
) -> None:
    made = reader(Net(age, expression))
    head = np.array([[0.4, 0.3, 0.5, 0.5]], np.float32)
    found = made.decide(*made.read(picture(), head, head))
    assert (found.age, found.expression) == want


def test_the_shares_of_one_band_are_added_up_and_nothing_finer_leaves() -> None:
    head = np.array([[0.4, 0.3, 0.5, 0.5]], np.float32)
    ages, _ = reader(Net([1, 2, 0, -1], [0, 0])).read(picture(), head, head)
    each = softmax(np.array([1, 2, 0, -1], np.float32))
    assert ages == pytest.approx(np.array([[each[0], each[1:].sum()]]))


def test_outputs_of_one_length_are_told_apart_by_what_the_manifest_says() -> None:
    head = np.array([[0.4, 0.3, 0.5, 0.5]], np.float32)
    made = reader(Net([5, 0], [0, 5]), ("child", "adult"))
    found = made.decide(*made.read(picture(), head, head))
    assert (found.age, found.expression) == (Age.CHILD, Expression.MASCULINE)


def test_nobody_looked_at_is_unknown() -> None:
    made = reader(Net([0] * 4, [0] * 2))
    none = np.empty((0, 4), np.float32)
    found = made.decide(*made.read(picture(), none, none))
    assert (found.age, found.expression) == (Age.UNKNOWN, Expression.UNKNOWN)


def test_a_higher_temperature_is_less_sure() -> None:
    logits = np.array([2, 0], np.float32)
    assert softmax(logits / 2)[0] < softmax(logits)[0]
