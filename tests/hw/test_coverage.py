"""What a camera sees, against figures worked out by hand."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from interlock import coverage
from interlock.cli import main
from interlock.coverage import LENSES, describe, draw, view
from interlock.errors import BoardError


@pytest.mark.parametrize(
    ("height", "lens", "floor", "heads"),
    [
        pytest.param(2.7, "wide", 6.7, 2.7, id="wide, 2.7 m"),
        pytest.param(3.0, "wide", 7.4, 3.5, id="wide, 3 m"),
        pytest.param(3.5, "wide", 8.6, 4.7, id="wide, 3.5 m"),
        pytest.param(3.0, "imx500", 3.9, 1.8, id="AI camera, 3 m"),
    ],
)
def test_straight_down_it_is_the_table_of_the_field_notes(
    height: float, lens: str, floor: float, heads: float
) -> None:
    found = view(height, LENSES[lens], 0)
    assert found.floor.wide == pytest.approx(floor, abs=0.06)
    assert found.heads.wide == pytest.approx(heads, abs=0.06)
    assert found.floor.near == pytest.approx(-found.floor.far)


def test_a_tilted_view_is_wider_and_its_heads_smaller() -> None:
    down, tilted = (view(3, LENSES["wide"], tilt) for tilt in (0, 45))
    assert tilted.heads.wide == pytest.approx(down.heads.wide * 2**0.5)
    assert tilted.head_px == pytest.approx(down.head_px / 2**0.5)
    assert tilted.floor.near > 0
    assert view(3, LENSES["wide"], 60).floor.far == inf


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        pytest.param(8.9, "not found", id="under 9"),
        pytest.param(10, "some are missed", id="9 to 12"),
        pytest.param(18, "", id="plain"),
    ],
)
def test_small_heads_are_said(pixels: float, says: str) -> None:
    said = coverage.judge_head(pixels)
    assert says in said and bool(said) == bool(says)


@pytest.mark.parametrize(
    ("height", "tilt", "says"),
    [
        pytest.param(1.9, 45, r"--height 1\.9 must be 2 to 8 m", id="low"),
        pytest.param(80, 45, "--height 80", id="high"),
        pytest.param(3, 75, "--tilt 75 must be 0 to 60 degrees", id="flat"),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    height: float, tilt: float, says: str
) -> None:
    with pytest.raises(BoardError, match=says):
        describe(height, "wide", tilt)


def test_the_command_says_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["coverage", "--height", "3", "--lens", "wide", "--tilt", "0"]
    assert main([*words, "--svg", str(tmp_path / "view.svg")]) == 0
    assert "at the heads  3.5 m wide" in capsys.readouterr().out
    assert "3.5 m, a head 18 pixels" in (tmp_path / "view.svg").read_text()
    assert main([*words, "--svg", str(tmp_path / "no" / "view.svg")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("lens", LENSES)
def test_every_lens_is_drawn(lens: str) -> None:
    assert draw(3, lens, 45).count("<g") == 3
