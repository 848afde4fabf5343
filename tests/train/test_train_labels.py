"""Which rendered people have to be found, and which labels say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from training import row

from doorsill_train import labels

BEYOND = {"head_y0": -40, "head_y1": -10, "head_inside": 0, "body_y0": 0}


@pytest.mark.parametrize(
    ("values", "boxes"),
    [
        pytest.param({}, [], id="a clear head has to be found"),
        pytest.param(
            {"head_contrast": 2}, [[100, 50, 130, 80]], id="a head one cannot see"
        ),
        pytest.param(
            {"head_y0": -40, "head_y1": -10, "head_inside": 0, "body_y0": 0},
            [[100, -40, 130, -10], [80, 0, 150, 200]],
            id="a body without a head: a person who is marked there is there",
        ),
        pytest.param(
            {"head_y0": -40, "head_y1": -10, "head_inside": 0, "body_seen": 0.1},
            [[100, -40, 130, -10]],
            id="a body behind something, its head beyond the edge",
        ),
    ],
)
def test_where_an_answer_counts_for_nothing(
    values: dict[str, float], boxes: list[list[float]]
) -> None:
    ignored = labels.ignored(row(**values))
    assert ignored.tolist() == boxes


@pytest.mark.parametrize(
    ("name", "enough", "too_little"),
    [
        ("head_seen", 0.4, 0.39),
        ("head_inside", 0.4, 0.39),
        ("body_seen", 0.25, 0.24),
        ("head_contrast", 8, 7.9),
        ("body_contrast", 9, 8.9),
    ],
)
def test_a_head_has_to_be_found_from_a_bound_on(
    name: str, enough: float, too_little: float
) -> None:
    assert labels.usable(row(**{name: enough + 1e-3})).tolist() == [True]
    assert labels.usable(row(**{name: too_little})).tolist() == [False]


@pytest.mark.parametrize(("width", "asked"), [(8.9, False), (9, True)])
def test_the_longer_side_of_a_head_says_whether_it_is_large_enough(
    width: float, asked: bool
) -> None:
    small = row(head_x0=100, head_x1=100 + width, head_y0=50, head_y1=54)
    assert labels.usable(small).tolist() == [asked]


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        pytest.param({}, True, id="a large clear body"),
        pytest.param({"head_inside": 0.5}, False, id="a head that is in the picture"),
        pytest.param({"body_seen": 0.5}, False, id="a body half behind something"),
        pytest.param({"body_contrast": 11}, False, id="a faint body"),
        pytest.param({"body_x1": 93}, False, id="13 pixels wide"),
        pytest.param({"body_x1": 100, "body_y1": 29}, False, id="580 square pixels"),
    ],
)
def test_a_body_without_a_head_is_marked_if_one_sees_it(
    values: dict[str, float], marked: bool
) -> None:
    assert labels.headless(row(**(BEYOND | values))).tolist() == [marked]


def test_nobody_has_to_be_found_twice_over() -> None:
    """Usable and headless exclude each other: one asks for a head, one for none."""
    inside = np.linspace(0, 1, 21)
    rows = np.concatenate([row(head_inside=share) for share in inside])
    assert not (labels.usable(rows) & labels.headless(rows)).any()
    assert (labels.usable(rows) | labels.headless(rows)).all()


def test_every_number_of_a_row_has_a_name_of_its_own() -> None:
    assert len(set(labels.NAMES)) == len(labels.NAMES) == 23
    assert labels.NAMES[labels.HEAD] == ("head_x0", "head_y0", "head_x1", "head_y1")
    assert labels.NAMES[labels.BODY] == ("body_x0", "body_y0", "body_x1", "body_y1")
    assert labels.NAMES[labels.FOOT] == ("foot_x", "foot_y")
    assert labels.edges(row()).tolist() == [[70, 150]]
