"""The drawing says which way is IN, and the counter agrees with it."""

from __future__ import annotations

import numpy as np
import pytest
from walks import drive, tally

from doorsill.policy import document
from doorsill.policy.document import Line, Policy
from doorsill.policy.draft import first_body
from doorsill.policy.sketch import COLUMNS, ROWS, beside, sketch, way_in
from doorsill.vision.count.line import LineCounter

LINES = [
    ("left to right", [[0, 0.5], [1, 0.5]], "downwards"),
    ("right to left", [[1, 0.5], [0, 0.5]], "upwards"),
    ("top to bottom", [[0.5, 0], [0.5, 1]], "to the left"),
    ("bottom to top", [[0.5, 1], [0.5, 0]], "to the right"),
    ("falling, in a picture of 16:9", [[0.2, 0.1], [0.6, 0.8]], "down and to the left"),
    ("rising", [[0.2, 0.8], [0.6, 0.1]], "down and to the right"),
    ("bent: the longest stretch", [[0, 0.9], [0.1, 0.5], [1, 0.5]], "downwards"),
]


def drawn(*points: list[list[float]], zones: object = ()) -> Policy:
    lines = [{"id": f"l-{i}", "points": each} for i, each in enumerate(points)]
    body = first_body("porto-1") | {"controller": "Ana", "lines": lines}
    return document.parse(body | {"zones": list(zones)})  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("points", "way"), [case[1:] for case in LINES], ids=[case[0] for case in LINES]
)
def test_who_walks_from_out_to_in_is_counted_in(
    points: list[list[float]], way: str
) -> None:
    line = drawn(points).lines[0]
    assert way_in(line) == way
    assert crossings(line, beside(line, -4), beside(line, 4)) == (1, 0)
    assert crossings(line, beside(line, 4), beside(line, -4)) == (0, 1)


def crossings(
    line: Line, start: tuple[float, float], end: tuple[float, float]
) -> tuple[int, int]:
    """What the real counter says of one walk."""
    counter = LineCounter([line.points])
    steps = [{1: (x, y)} for x, y in np.linspace(start, end, 30).tolist()]
    return tally(drive(counter, steps))


def test_the_words_stand_on_their_sides_and_the_line_between() -> None:
    rows = sketch(drawn([[0, 0.5], [1, 0.5]])).splitlines()
    assert len(rows) == ROWS + 2 and {len(row) for row in rows} == {COLUMNS + 2}
    where = {
        word: next(i for i, row in enumerate(rows) if word in row) for word in WORDS
    }
    assert where["OUT"] < where["A--"] < where["IN"]


WORDS = ("OUT", "A--", "IN")


def test_everything_that_is_signed_is_in_the_drawing() -> None:
    corners = [[0, 0], [1, 0], [1, 1], [0, 1]]
    zones = [
        {"id": "a", "kind": "exclude", "polygon": corners},
        {"id": "b", "kind": "count", "polygon": [[0.2, 0.2], [0.4, 0.2], [0.3, 0.6]]},
    ]
    text = sketch(drawn([[0, 0], [0, 1]], [[1, 1], [1, 0]], zones=zones))
    assert all(each in text for each in "ABabx.|") and text.count("IN") == 2
