"""Shares corrected with a confusion matrix: unbiased when the matrix is right."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from doorsill_train.judge import shares

RIGHT = np.array([[700, 150, 150], [120, 680, 200]], float)  # the last is unknown
WRONG = np.array([[850, 50, 100], [120, 680, 200]], float)
POOR = np.array(
    [[40, 30, 10, 5, 15], [25, 35, 20, 5, 15], [5, 20, 35, 25, 15], [5, 5, 25, 50, 15]],
    float,
)


@pytest.mark.parametrize("mix", [[0.05, 0.6, 0.3, 0.05], [0.4, 0.1, 0.4, 0.1]])
def test_answers_as_expected_give_the_mix_back(mix: list[float]) -> None:
    chance = POOR / POOR.sum(axis=1, keepdims=True)
    found = shares.corrected(np.array(mix) @ chance, POOR)
    assert found == pytest.approx(mix, abs=0.01)


def test_groups_that_are_answered_alike_get_as_much() -> None:
    alike = np.array([[5, 5, 90], [5, 5, 90]], float)
    found = shares.corrected(np.array([20, 20, 360]), alike)
    assert found == pytest.approx([0.5, 0.5], abs=1e-3)


def test_answers_alone_would_be_far_off() -> None:
    chance = POOR / POOR.sum(axis=1, keepdims=True)
    seen = (np.array([0.4, 0.1, 0.4, 0.1]) @ chance)[:4]
    assert np.abs(seen / seen.sum() - [0.4, 0.1, 0.4, 0.1]).max() > 0.1


def test_the_right_matrix_gives_no_bias_and_honest_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shares, "DAYS", 120)
    found = shares.asked([0.3, 0.7], RIGHT, RIGHT, np.random.default_rng(1))
    assert found["right_bias_points"] < 1
    assert found["redrawn_bias_points"] < 1
    assert found["redrawn_intervals_hold"] >= 93


def test_a_wrong_matrix_shows_as_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "DAYS", 120)
    found = shares.asked([0.3, 0.7], WRONG, RIGHT, np.random.default_rng(1))
    assert found["published_bias_points"] > 4
    assert found["right_bias_points"] < 1


def test_too_few_people_are_said_to_be_too_few(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = [[3, 1, 0], [0, 0, 0]]
    report = tmp_path / "attributes.json"
    both = (
        "confusion_of_the_calibration_half",
        "confusion_truth_by_answer_then_unknown",
    )
    report.write_text(json.dumps({"expression": dict.fromkeys(both, table)}))
    monkeypatch.setattr(sys, "argv", ["shares.py", str(report)])
    shares.main()
    assert "too few people" in capsys.readouterr().out
