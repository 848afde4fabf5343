"""What reports say of one who crosses often is bounded, and what is written is so."""

from __future__ import annotations

import math

import pytest
from guessing import BEFORE, guessed
from places import ROOT

from doorsill.privacy import budget
from doorsill.privacy.floors import CROSSINGS_OF_ONE

RUNS = 500
SURE = 4 * math.sqrt(0.25 / RUNS)  # four standard deviations of a share


@pytest.mark.parametrize(
    ("crossings", "expression", "age"),
    [
        pytest.param((40,), 0.72, 0.72, id="all in one slot"),
        pytest.param((13, 14, 13), 0.62, 0.62, id="spread over a working day"),
    ],
)
def test_one_employee_alone_is_told_as_seldom_as_is_written(
    crossings: tuple[int, ...], expression: float, age: float
) -> None:
    """Forty crossings at the ceiling of epsilon, as DESIGN.md states them."""
    assert sum(crossings) == CROSSINGS_OF_ONE
    found = guessed(crossings, 2.0, RUNS)
    assert found[0] == pytest.approx(expression, abs=SURE)
    assert found[1] == pytest.approx(age, abs=SURE)
    assert found[0] <= math.exp(2.0) / (1 + math.exp(2.0))
    text = " ".join((ROOT / "DESIGN.md").read_text().split())
    assert "expression right in 72 %, and child or adult as often" in text
    assert "three slots 62 %" in text


def test_negative_control_noise_for_fewer_crossings_tells_nearly_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "CROSSINGS_OF_ONE", BEFORE)
    assert guessed((40,), 2.0, RUNS)[0] > 0.95
