"""How sure an age or an expression has to be, and what the card says of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from doorsill.evaluation.measure import Share
from doorsill.models.manifest import shipped
from doorsill_train.judge.bands import LABELS, TOLD, merging
from doorsill_train.judge.calibration import (
    CONFUSION,
    FEWEST,
    RIGHT_AT_LEAST,
    calibrate,
    calibration_error,
    confusions,
    each,
    gap,
    groups,
    measured,
    shares,
)
from doorsill_train.learn.crops import COLUMN, COLUMNS

PEOPLE = 2000
TWO = np.eye(2)  # each label is a band of its own


def answers(right: float, sharpness: float, seed: int = 1) -> tuple[np.ndarray, ...]:
    """Logits (people, 1, 2) that are right as often as said, and as sure as said."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, PEOPLE)
    said = np.where(rng.random(PEOPLE) < right, truth, 1 - truth)
    logits = np.zeros((PEOPLE, 1, 2))
    logits[np.arange(PEOPLE), 0, said] = sharpness + rng.normal(0, 0.05, PEOPLE)
    return logits, truth


def people(count: int, **columns: float | list[float]) -> np.ndarray:
    """Rows of crops: light-skinned, slim, seen level and in full, but for the given."""
    rows = np.zeros((count, len(COLUMNS)), np.float32)
    rows[:, COLUMN["weight"]] = -0.5
    for name, value in columns.items():
        rows[:, COLUMN[name]] = value
    return rows


def test_readings_of_a_walk_are_averaged_as_shares() -> None:
    logits = np.array([[[8.0, 0.0], [0.0, 8.0]]])
    assert shares(logits, 1.0, TWO)[0] == pytest.approx([0.5, 0.5])
    assert shares(logits[:, :1], 1.0, TWO)[0] == pytest.approx([1, 0], abs=1e-3)
    assert shares(logits, 3.0, TWO).sum(axis=1) == pytest.approx(1)


def test_the_shares_of_one_band_are_added_up() -> None:
    logits = np.log(np.array([[[0.3, 0.4, 0.2, 0.1]]]))
    assert shares(logits, 1.0, merging("age"))[0] == pytest.approx([0.3, 0.7])


def test_the_labels_that_are_taught_are_told_as_the_bands_of_the_firmware() -> None:
    manifest = shipped("attributes")
    for name in ("age", "expression"):
        assert manifest.output(name).labels == LABELS[name]
        assert manifest.output(name).bands == TOLD[name]
        assert merging(name).sum(axis=1).tolist() == [1] * len(LABELS[name])


def test_a_higher_temperature_is_less_sure() -> None:
    logits, _ = answers(0.8, 3.0)
    sure = [shares(logits, t, TWO).max(axis=1).mean() for t in (0.5, 1.0, 2.0, 4.0)]
    assert sure == sorted(sure, reverse=True)


@pytest.mark.parametrize("sharpness", [1.0, 3.0, 5.0])
def test_the_temperature_makes_the_sureness_honest(sharpness: float) -> None:
    logits, truth = answers(0.8, sharpness)
    temperature, _ = calibrate(logits, truth, TWO)
    sure = shares(logits, temperature, TWO)
    error = calibration_error(sure.max(axis=1), sure.argmax(axis=1) == truth)
    assert error < 0.03
    assert temperature == pytest.approx(sharpness / np.log(4), rel=0.1)


def test_nearly_a_fifth_is_left_unknown() -> None:
    logits, truth = answers(0.9, 2.0)
    temperature, least = calibrate(logits, truth, TWO)
    known = shares(logits, temperature, TWO).max(axis=1) >= least
    assert 1 - known.mean() == pytest.approx(0.185, abs=0.01)


def test_more_is_left_unknown_where_the_sure_are_right_too_seldom() -> None:
    """Half of all are guesses, and less sure than the other half."""
    guesses, one = answers(0.5, 1.0, seed=2)
    known, other = answers(0.9, 2.0, seed=3)
    logits, truth = np.concatenate([guesses, known]), np.concatenate([one, other])
    temperature, least = calibrate(logits, truth, TWO)
    sure = shares(logits, temperature, TWO)
    told = sure.max(axis=1) >= least
    assert told.mean() < 0.8
    assert (sure.argmax(axis=1) == truth)[told].mean() >= RIGHT_AT_LEAST


def test_who_only_guesses_is_never_believed() -> None:
    logits, truth = answers(0.5, 2.0)
    assert calibrate(logits, truth, TWO)[1] == 1.0


def test_who_says_one_band_of_everybody_is_never_believed() -> None:
    truth = np.arange(PEOPLE) % 10 == 0
    logits = np.tile([3.0, 0.0], (PEOPLE, 1, 1))
    assert (shares(logits, 1.0, TWO).argmax(axis=1) == truth).mean() == 0.9
    assert calibrate(logits, truth.astype(int), TWO)[1] == 1.0


def test_too_few_people_decide_nothing() -> None:
    logits, truth = answers(0.95, 2.0)
    few = FEWEST - 1
    assert calibrate(logits[:few], truth[:few], TWO)[1] == 1.0


def test_a_confusion_counts_each_truth_by_its_answer_and_the_unknown_last() -> None:
    truth, said = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    assert confusions(truth, said, 2).tolist() == [[1, 0, 1], [1, 2, 0]]


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        pytest.param([0.75] * 4, [1, 1, 1, 0], 0.0, id="as sure as right"),
        pytest.param([0.95] * 4, [1, 1, 0, 0], 0.45, id="too sure"),
        pytest.param([1.0], [1], 0.0, id="certain and right"),
        pytest.param([0.95, 0.55], [1, 0], 0.3, id="the mean over two bins"),
    ],
)
def test_the_calibration_error_is_how_far_sureness_is_off(
    confidence: list[float], right: list[int], error: float
) -> None:
    found = calibration_error(np.array(confidence), np.array(right, bool))
    assert found == pytest.approx(error)


def test_who_always_says_the_larger_band_is_right_often_and_balanced_at_a_half() -> (
    None
):
    found = each(np.array([[0, 20, 0], [0, 80, 0]]))
    assert found["balanced"] == 0.5
    assert found["precision"] == ["none to count", str(Share(80, 100))]


def test_everybody_is_in_one_group_of_each_kind() -> None:
    rng = np.random.default_rng(6)
    rows = people(
        300,
        tone=rng.uniform(0, 5, 300),
        weight=rng.uniform(-1, 1, 300),
        view=rng.integers(0, 3, 300),
        cut=rng.integers(0, 2, 300),
        covered=rng.integers(0, 2, 300),
    )
    found = groups(rows)
    for kind in ("skin", "shape", "view"):
        members = [m for name, m in found.items() if name.startswith(kind)]
        assert len(members) == 3
        assert (np.sum(members, axis=0) == 1).all(), kind
    assert not (found["whole"] & (found["cut"] | found["covered"])).any()


@pytest.mark.parametrize(
    ("tone", "name"), [(0.0, "light"), (1.7, "middle"), (3.4, "dark"), (5.0, "dark")]
)
def test_the_tone_of_the_rendered_skin_says_the_group(tone: float, name: str) -> None:
    assert groups(people(1, tone=tone))[f"skin {name}"].all()


def test_a_gap_is_between_the_best_and_the_worst_group() -> None:
    rows = people(4, tone=[0, 0, 5, 5])
    assert gap(np.array([1, 1, 1, 0]), rows, "skin") == 50.0
    assert gap(np.array([1, 0, 1, 0]), rows, "skin") == 0.0
    assert gap(np.array([1, 0, 1, 0]), rows, "shape") == 0.0, "one group alone"


def test_the_report_tells_the_known_apart_from_all() -> None:
    """Two are sure and right, one is sure and wrong, one is not sure."""
    logits = np.array([[[4.0, 0]], [[0, 4.0]], [[4.0, 0]], [[0.1, 0]]])
    truth = np.array([0, 1, 1, 0])
    found = measured(logits, truth, people(4), (1.0, 0.9), TWO)
    assert found["unknown"] == 0.25
    assert str(found["accuracy"]).startswith("0.667")
    assert str(found["accuracy_without_unknown"]).startswith("0.750")
    assert found[CONFUSION] == [[1, 0, 1], [1, 1, 0]]
    assert found["each"]["balanced"] == 0.75
    assert [str(each)[:5] for each in found["each"]["recall"]] == ["1.000", "0.500"]
    assert [str(each)[:5] for each in found["each"]["precision"]] == ["0.500", "1.000"]
    assert found["groups"]["skin light"].endswith("of 3, unknown 0.250")
    assert found["groups"]["skin dark"].startswith("none to count")
