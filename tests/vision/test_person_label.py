"""Which number stands for a person, where the labels say it and where none do."""

from __future__ import annotations

import pytest

from doorsill.errors import ConfigError
from doorsill.vision.detect.person_label import person_class, person_column

COCO = ("???", "person", "bicycle", "car")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        pytest.param((), (0, ""), id="no labels: people come first"),
        pytest.param(COCO, (0, ", person by its labels"), id="background is no class"),
        pytest.param(("car", "human"), (1, ", human by its labels"), id="another word"),
        pytest.param(
            ("people", "person"), (1, ", person by its labels"), id="the surest word"
        ),
    ],
)
def test_the_class_among_finished_results(
    labels: tuple[str, ...], found: tuple[int, str]
) -> None:
    assert person_class(labels) == found


@pytest.mark.parametrize(
    ("labels", "columns", "found"),
    [
        pytest.param((), 91, 1, id="COCO with its gaps and a background"),
        pytest.param((), 80, 0, id="COCO"),
        pytest.param((), 20, 14, id="Pascal VOC"),
        pytest.param(COCO, 4, 1, id="a label for each column"),
        pytest.param(COCO, 5, 2, id="a background that no label names"),
        pytest.param(COCO, 3, 0, id="a label of a background without a column"),
    ],
)
def test_the_column_among_raw_scores(
    labels: tuple[str, ...], columns: int, found: int
) -> None:
    assert person_column(labels, columns)[0] == found


@pytest.mark.parametrize(
    ("labels", "columns", "says"),
    [
        pytest.param((), 7, "write a manifest with person = N", id="nothing says it"),
        pytest.param(COCO, 9, "9 kinds of things and has 4 labels", id="they differ"),
        pytest.param(("cat", "dog"), 2, "none of the model's 2 labels", id="no person"),
    ],
)
def test_a_guess_is_never_made(
    labels: tuple[str, ...], columns: int, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        person_column(labels, columns)
