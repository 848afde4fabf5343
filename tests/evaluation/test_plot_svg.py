"""The drawing explains itself, and holds feet and lines alone."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from walks import tracks

from doorsill.evaluation.plot import TrackPlot
from doorsill.evaluation.plot_svg import LEGEND, draw_svg, simplify
from doorsill.values import Crossing, Direction

Path = tuple[tuple[float, float], ...]
LINE: Path = ((0.5, 0.0), (0.5, 1.0))
SVG = "{http://www.w3.org/2000/svg}"


def drawn(
    plot: TrackPlot, *lines: tuple[tuple[float, float], ...], aspect: float = 1.5
):
    names = [f"door-{number}" for number in range(len(lines))]
    text = draw_svg(plot, lines, names, aspect, "Tracks of <door>.mp4")
    assert len(text.encode()) < 60_000
    return ElementTree.fromstring(text)  # noqa: S314 - our own


def words(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def test_it_says_in_words_what_everything_is() -> None:
    found = words(drawn(TrackPlot(), LINE))
    for word in ("IN", "OUT", "door-0", "0", "0.5", "1", *(said for _, said in LEGEND)):
        assert word in found
    assert found.count("0.5") == 2  # across and down


@pytest.mark.parametrize(
    ("line", "to_the_right"),
    [
        pytest.param(LINE, False, id="downwards: IN leads to the left"),
        pytest.param(LINE[::-1], True, id="upwards: IN leads to the right"),
    ],
)
def test_in_stands_on_the_side_that_it_leads_to(
    line: tuple[tuple[float, float], ...], to_the_right: bool
) -> None:
    root = drawn(TrackPlot(), line)
    at = {each.text: float(each.attrib["x"]) for each in root.iter(f"{SVG}text")}
    assert (at["IN"] > at["OUT"]) == to_the_right


EDGES = [
    pytest.param(((0.0, 0.0), (0.0, 1.0)), id="left, IN beyond it"),
    pytest.param(((0.02, 1.0), (0.02, 0.0)), id="left, OUT beyond it"),
    pytest.param(((1.0, 1.0), (1.0, 0.0)), id="right, IN beyond it"),
    pytest.param(((0.97, 0.0), (0.97, 1.0)), id="right, OUT beyond it"),
    pytest.param(((1.0, 0.0), (0.0, 0.0)), id="top, IN beyond it"),
    pytest.param(((0.0, 1.0), (1.0, 1.0)), id="bottom, IN beyond it"),
    pytest.param(((0.0, 0.0), (0.02, 0.0)), id="a short one in the corner"),
    pytest.param(((0.0, 0.02), (0.0, 0.0)), id="and upright"),
    pytest.param(((1.0, 0.0), (1.0, 0.02)), id="in the other corner"),
]
GLYPH = 20.0  # width of a letter of IN and OUT at most, units of the drawing


@pytest.mark.parametrize("line", EDGES)
@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 9 / 16, 4.0])
def test_words_of_a_line_at_an_edge_are_whole_and_clear_of_numbers(
    line: Path, aspect: float
) -> None:
    root = drawn(TrackPlot(), line, aspect=aspect)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    at = {
        each.text: (float(each.attrib["x"]), float(each.attrib["y"]))
        for each in root.iter(f"{SVG}text")
    }
    legend = min(y for text, (_, y) in at.items() if text and " " in text) - 28
    for word in ("IN", "OUT"):
        x, y = at[word]
        half = GLYPH * len(word) / 2
        assert half <= x <= width - half and 20 <= y <= legend, (word, x, y)
    tip = root.find(f".//{SVG}path[@class='line lead']")
    assert tip is not None
    ends = [float(each) for each in re.findall(r"[\d.-]+", tip.attrib["d"])]
    assert min(ends) >= 0 and max(ends[::2]) <= width and max(ends[1::2]) <= height


@pytest.mark.parametrize("aspect", [9 / 16, 0.3, 1.0])
def test_the_legend_of_an_upright_picture_is_whole(aspect: float) -> None:
    root = drawn(TrackPlot(), LINE, aspect=aspect)
    width = float(root.attrib["viewBox"].split()[2])
    for each in root.iter(f"{SVG}text"):
        if each.text in {said for _, said in LEGEND}:
            # A letter of DejaVu Sans, a wide one, takes 0.51 of its size on average.
            assert float(each.attrib["x"]) + 28 * 0.51 * len(each.text) <= width


@pytest.mark.parametrize(
    ("direction", "kind"),
    [(Direction.IN, "in"), (Direction.OUT, "out"), (None, "none")],
)
def test_a_track_is_drawn_as_it_was_counted(
    direction: Direction | None, kind: str
) -> None:
    plot = TrackPlot()
    for step in range(11):
        crossed = [] if direction is None else [Crossing(0, direction, 0.0, 7)]
        plot.add(tracks((7, step / 10, 0.25)), crossed)
    paths = [
        each
        for each in drawn(plot, LINE).iter(f"{SVG}polyline")
        if "path" in each.attrib["class"]
    ]
    assert [each.attrib["class"] for each in paths] == [f"path {kind}"]
    assert len(paths[0].attrib["points"].split()) == 2  # straight: two points do


def test_feet_below_the_picture_have_room() -> None:
    plot = TrackPlot()
    for step in range(11):
        plot.add(tracks((7, step / 10, 0.9 + step / 50)), [])
    root = drawn(plot, aspect=1.0)
    frame = next(e for e in root.iter(f"{SVG}rect") if e.attrib["class"] == "frame")
    bottom = float(frame.attrib["y"]) + float(frame.attrib["height"])
    path = next(root.iter(f"{SVG}polyline")).attrib["points"].split()
    assert float(path[-1].split(",")[1]) > bottom


def test_a_days_recording_stays_small() -> None:
    plot = TrackPlot()
    rng = np.random.default_rng(2)
    for who in range(900):
        for step in range(30):
            plot.add(tracks((who, step / 30, float(rng.uniform(0.2, 0.3)))), [])
    text = draw_svg(plot, [LINE], ["1"], 1.5, "a day")
    assert text.count("<polyline") <= 402
    assert len(text) < 400 * 400


def test_no_picture_and_no_foreign_text_is_inside() -> None:
    text = draw_svg(TrackPlot(), [LINE], ["<b>"], 1.5, "<script>")
    assert "<script>" not in text and "<b>" not in text and "image" not in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_a_path_keeps_its_corners_and_loses_its_noise() -> None:
    straight = [(float(x), 0.3 * (x % 2)) for x in range(50)]
    assert simplify(straight, 1.0) == [straight[0], straight[-1]]
    corner = [(float(x), 0.0) for x in range(20)] + [
        (19.0, float(y)) for y in range(20)
    ]
    kept = simplify(corner, 1.0)
    assert (19.0, 0.0) in kept and len(kept) == 3
    assert all(min(math.dist(a, b) for b in corner) == 0 for a in kept)
