"""Coarse, averaged, unknown in doubt, and gone with the track."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from doorsill.cells import Age, Expression
from doorsill.policy import document
from doorsill.values import (
    Attributes,
    Boxes,
    Crossing,
    Detections,
    Direction,
    Pixels,
    Tracks,
)
from doorsill.vision.attributes.tracks import (
    KEPT_S,
    PER_FRAME,
    READINGS,
    AttributeReader,
    is_allowed,
)

PIXELS = np.zeros((240, 320, 3), np.uint8)
STEP = 0.08


@dataclass
class Scripted:
    """Reads what its script says for the person at the left edge ``x0``."""

    script: dict[float, tuple[list[float], list[float]]]
    read_boxes: list[int] = field(default_factory=list)
    least: float = 0.6

    def read(
        self, pixels: Pixels, heads: Boxes, bodies: Boxes
    ) -> tuple[np.ndarray, np.ndarray]:
        assert len(heads) == len(bodies)
        self.read_boxes.append(len(bodies))
        said = [self.script[round(float(box[0]), 1)] for box in bodies]
        ages = np.array([each[0] for each in said], np.float32)
        return ages, np.array([each[1] for each in said], np.float32)

    def decide(self, ages: np.ndarray, expressions: np.ndarray) -> Attributes:
        age, expression = ages.mean(axis=0), expressions.mean(axis=0)
        return Attributes(
            Age(int(age.argmax())) if age.max() >= self.least else Age.UNKNOWN,
            Expression(int(expression.argmax()))
            if expression.max() >= self.least
            else Expression.UNKNOWN,
        )


CLEAR = ([0.0, 1.0], [0.9, 0.1])
DOUBT = ([0.5, 0.5], [0.5, 0.5])


def show(
    stage: AttributeReader, now: float, *people: tuple[int, float], seen: bool = True
) -> None:
    """One frame with these people (track, left edge)."""
    n = len(people)
    boxes = np.array([[x, 0.2, x + 0.1, 0.8] for _, x in people], np.float32)
    boxes, feet = boxes.reshape(n, 4), np.zeros((n, 2), np.float32)
    found = Detections(boxes, np.ones(n, np.float32), boxes * 0.5, feet)
    tracks = Tracks(
        np.array([each[0] for each in people], np.int64),
        boxes,
        feet,
        np.arange(n) if seen else np.full(n, -1),
        np.ones(n, bool),
    )
    stage.update(PIXELS, found, tracks, now)


def looks(reader: Scripted) -> AttributeReader:
    return AttributeReader(lambda: reader)


def crossing(track: int) -> Crossing:
    return Crossing(0, Direction.IN, 0.0, track)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(CLEAR, Attributes(Age.ADULT, Expression.FEMININE), id="clear"),
        pytest.param(DOUBT, Attributes(), id="in doubt: unknown"),
    ],
)
def test_a_track_is_averaged_over_its_frames(
    said: tuple[list[float], list[float]], expected: Attributes
) -> None:
    stage = looks(Scripted({0.1: said}))
    for step in range(20):
        show(stage, step * STEP, (7, 0.1))
    assert stage.decide(crossing(7)) == expected


def test_one_bad_frame_does_not_decide() -> None:
    reader = Scripted({0.1: CLEAR, 0.5: ([1.0, 0.0], [0.0, 1.0])})
    stage = looks(reader)
    for step in range(30):
        show(stage, step * STEP, (7, 0.5 if step == 0 else 0.1))
    assert stage.decide(crossing(7)).age == Age.ADULT


def test_who_was_never_read_is_unknown() -> None:
    assert looks(Scripted({})).decide(crossing(7)) == Attributes()


def test_work_is_bounded_by_frame_and_by_track() -> None:
    reader = Scripted({0.1: CLEAR, 0.3: CLEAR, 0.5: CLEAR})
    stage = looks(reader)
    for step in range(200):
        show(stage, step * STEP, (1, 0.1), (2, 0.3), (3, 0.5))
    assert max(reader.read_boxes) <= PER_FRAME
    assert sum(reader.read_boxes) == 3 * READINGS


def test_a_coasting_track_is_not_read() -> None:
    reader = Scripted({0.1: CLEAR})
    stage = looks(reader)
    show(stage, 0.0, (7, 0.1), seen=False)
    assert reader.read_boxes == []


def test_nothing_is_known_after_the_crossing_is_decided() -> None:
    stage = looks(Scripted({0.1: CLEAR}))
    show(stage, 0.0, (7, 0.1))
    stage.decide(crossing(7))
    assert len(stage) == 0


def test_nothing_is_known_of_who_left_without_crossing() -> None:
    stage = looks(Scripted({0.1: CLEAR}))
    show(stage, 0.0, (7, 0.1))
    for step in range(1, round((KEPT_S + 1) / STEP)):
        show(stage, step * STEP)
    assert len(stage) == 0


def test_the_model_is_opened_only_when_somebody_is_to_be_read() -> None:
    opened = []

    def open_reader() -> Scripted:
        opened.append(1)
        return Scripted({0.1: CLEAR})

    stage = AttributeReader(open_reader)
    show(stage, 0.0)
    assert opened == []
    show(stage, 0.1, (7, 0.1))
    show(stage, 0.5, (7, 0.1))
    assert opened == [1]


BODY = {
    "format": document.FORMAT, "version": 1, "site": "s", "purpose": "p",
    "controller": "c", "timezone": "UTC", "attributes": False, "k": 10,
    "epsilon_per_day": 1.0,
    "lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "notice", "expected"),
    [
        pytest.param(True, "sign-1", True, id="on, with a notice"),
        pytest.param(False, "sign-1", False, id="off"),
        pytest.param(True, None, False, id="no notice, with any flag"),
    ],
)
def test_attributes_are_off_without_policy_and_notice(
    attributes: bool, notice: str | None, expected: bool
) -> None:
    found = replace(document.parse(BODY), attributes=attributes, notice=notice)
    assert is_allowed(found) is expected
