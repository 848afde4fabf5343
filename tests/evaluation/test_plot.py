"""The plot shows where feet went and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from walks import tracks

from doorsill.drivers.png import png_bytes
from doorsill.evaluation.plot import COLOURS, GREY, GROUND, LONG_SIDE, TrackPlot
from doorsill.values import Crossing, Direction

LINE = ((0.5, 0.0), (0.5, 1.0))


def colour_at(canvas: np.ndarray, x: float, y: float) -> tuple[int, ...]:
    height, width = canvas.shape[:2]
    return tuple(
        int(v) for v in canvas[round(y * (height - 1)), round(x * (width - 1))]
    )


def walked(direction: Direction | None) -> np.ndarray:
    plot = TrackPlot()
    for step in range(11):
        done = direction is not None and step == 6
        crossings = (
            [Crossing(0, direction, 0.0, 7)] if done and direction is not None else []
        )
        plot.add(tracks((7, step / 10, 0.25)), crossings)
    return plot.draw([LINE], 16 / 9)


@pytest.mark.parametrize(
    ("direction", "colour"),
    [
        pytest.param(Direction.IN, COLOURS[Direction.IN], id="counted in"),
        pytest.param(Direction.OUT, COLOURS[Direction.OUT], id="counted out"),
        pytest.param(None, GREY, id="not counted"),
    ],
)
def test_a_track_is_drawn_in_the_colour_of_its_count(
    direction: Direction | None, colour: tuple[int, int, int]
) -> None:
    canvas = walked(direction)
    assert colour_at(canvas, 0.25, 0.25) == pytest.approx(colour, abs=3)
    assert colour_at(canvas, 0.25, 0.75) == GROUND
    assert colour_at(canvas, 0.5, 0.75) == (20, 20, 20)


def test_the_bar_stands_on_the_side_that_in_leads_to() -> None:
    canvas = TrackPlot().draw([LINE], 1.0)
    assert colour_at(canvas, 0.47, 0.5) == (20, 20, 20)
    assert colour_at(canvas, 0.53, 0.5) == GROUND


def test_an_unconfirmed_track_is_not_drawn() -> None:
    plot = TrackPlot()
    for step in range(11):
        plot.add(tracks((7, step / 10, 0.25), confirmed=False), [])
    assert (plot.draw([], 1.0) == 255).all()


@pytest.mark.parametrize(("aspect", "size"), [(2.0, (480, 960)), (0.5, (960, 480))])
def test_the_picture_has_the_shape_of_the_video(
    aspect: float, size: tuple[int, int]
) -> None:
    assert TrackPlot().draw([LINE], aspect).shape == (*size, 3)
    assert max(size) == LONG_SIDE


def test_the_file_is_a_png_with_the_same_pixels(tmp_path: Path) -> None:
    canvas = walked(Direction.IN)
    (tmp_path / "out.png").write_bytes(png_bytes(canvas))
    with av.open(str(tmp_path / "out.png")) as container:
        read = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert (read == canvas).all()


def test_where_a_track_only_coasts_nothing_is_drawn() -> None:
    plot = TrackPlot()
    coasting = np.full(1, -1, np.intp)
    for step in range(11):
        each = tracks((7, step / 10, 0.25))
        plot.add(each if step <= 5 else replace(each, detection=coasting), [])
    plot.add(replace(tracks((8, 0.5, 0.75)), detection=coasting), [])
    canvas = plot.draw([LINE], 16 / 9)
    assert colour_at(canvas, 0.25, 0.25) == pytest.approx(GREY, abs=3)
    assert colour_at(canvas, 0.75, 0.25) == GROUND
