"""A detector is measured on held-out pictures through the device's own decode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training import nobody, row, save_world

from doorsill.models.manifest import Quantisation
from doorsill.values import Detections
from doorsill_train import labels
from doorsill_train.judge import groups
from doorsill_train.learn import samples
from doorsill_train.learn.evaluate import (
    FLOOR,
    HEAT,
    REG,
    average_precision,
    float_detector,
    measure,
    measure_model,
    stored,
)
from doorsill_train.shards import HEIGHT, WIDTH, Shards

SIZE = np.array([WIDTH, HEIGHT] * 2, np.float32)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0.0, -128), (0.5, 0), (1.0, 127), (2.0, 127), (-1.0, -128)],
)
def test_a_real_number_is_stored_as_the_file_would(value: float, kept: int) -> None:
    assert stored(np.array([value]), HEAT).tolist() == [kept]
    assert stored(np.array([value]), HEAT).dtype == np.int8


def test_what_is_stored_is_less_than_half_a_step_off() -> None:
    values = np.linspace(-4, 4, 101)
    back = stored(values, REG).astype(float) * REG.scale
    assert np.abs(back - values).max() <= REG.scale / 2 + 1e-9
    assert stored(values, Quantisation(0.1, -5)).max() == 35


@pytest.mark.parametrize(
    ("scores", "verdicts", "total", "precision"),
    [
        pytest.param([0.9, 0.8], [1, 1], 2, 1.0, id="all found, nothing else"),
        pytest.param([0.9, 0.8], [1, 1], 4, 0.5, id="half of them"),
        pytest.param([0.9, 0.8], [0, 1], 1, 0.5, id="a wrong one is surer"),
        pytest.param([0.9, 0.8], [1, 0], 1, 1.0, id="a wrong one is less sure"),
        pytest.param([0.9, 0.8], [-1, 1], 1, 1.0, id="one that counts for nothing"),
        pytest.param([], [], 3, 0.0, id="no answer"),
        pytest.param([0.9], [0], 0, 0.0, id="nobody there"),
    ],
)
def test_average_precision_is_the_area_under_the_envelope(
    scores: list[float], verdicts: list[int], total: int, precision: float
) -> None:
    found = average_precision(np.array(scores), np.array(verdicts), total)
    assert found == pytest.approx(precision)


def answers(rows: np.ndarray, score: float) -> Detections:
    """Exactly what is true."""
    return Detections(
        (rows[:, labels.BODY] / SIZE).astype(np.float32),
        np.full(len(rows), score, np.float32),
        (rows[:, labels.HEAD] / SIZE).astype(np.float32),
        (rows[:, labels.FOOT] / SIZE[:2]).astype(np.float32),
    )


@pytest.fixture
def held(tmp_path: Path) -> Shards:
    """One seen from above, one level, and one picture without anybody."""
    pictures = [row(), np.concatenate([row(), row(head_x0=200, head_x1=228)]), nobody()]
    save_world(tmp_path, 900_001, ["overhead", "low", "low"], pictures)
    return Shards(tmp_path, held_out=True)


def test_who_is_right_everywhere_has_full_marks(held: Shards) -> None:
    truth = [held.get(at)[1] for at in range(3)]
    asked = iter(truth)
    found = measure(lambda _: answers(next(asked), 0.9), held, "rgb", 9, 0.5)
    assert found["head_ap50"] == found["person_ap50"] == 1.0
    assert found["precision"] == found["recall"] == 1.0
    assert found["recall_overhead"] == found["recall_low"] == 1.0
    assert (found["empty"], found["invented"]) == (1, 0)


def test_who_sees_nobody_has_none(held: Shards) -> None:
    found = measure(lambda _: answers(nobody(), 0.9), held, "rgb", 9, 0.5)
    assert found["head_ap50"] == found["recall"] == 0.0


def test_who_sees_somebody_everywhere_invents(held: Shards) -> None:
    wrong = row(head_x0=10, head_x1=30, head_y0=200, head_y1=220)
    found = measure(lambda _: answers(wrong, 0.9), held, "rgb", 9, 0.5)
    assert found["invented"] == 1.0
    assert found["precision"] == 0.0


def test_an_answer_below_the_threshold_counts_for_the_curve_alone(held: Shards) -> None:
    asked = iter([held.get(at)[1] for at in range(3)])
    found = measure(lambda _: answers(next(asked), 0.2), held, "rgb", 9, 0.5)
    assert found["head_ap50"] == 1.0
    assert found["recall"] == 0.0


def test_an_answer_where_no_head_can_be_seen_is_neither_right_nor_wrong(
    tmp_path: Path,
) -> None:
    faint = row(head_contrast=1)
    save_world(tmp_path, 900_000, ["low"], [faint])
    held = Shards(tmp_path, held_out=True)
    found = measure(lambda _: answers(faint, 0.9), held, "rgb", 9, 0.5)
    assert (found["precision"], found["head_ap50"]) == (0, 0), "nothing to be counted"
    assert found["empty"] == 0


class Exact:
    """A network that answers what it should: the target of its only picture."""

    def __init__(self, rows: np.ndarray) -> None:
        self.target = samples.target(rows)[None]

    def __call__(self, image: np.ndarray, training: bool) -> tuple:
        assert image.shape == (1, HEIGHT, WIDTH, 3)
        assert not training
        return self.target[..., 0:1], self.target[..., 1:11]


def test_a_float_network_is_measured_behind_the_device_s_decode(
    tmp_path: Path,
) -> None:
    save_world(tmp_path, 900_000, ["low"], [row()])
    found = measure_model(Exact(row()), Shards(tmp_path, held_out=True), "rgb")
    assert found["head_ap50"] == found["precision"] == found["recall"] == 1.0
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert float_detector(Exact(row()), FLOOR)(image).scores[0] > 0.99


def test_the_best_score_is_where_most_are_right() -> None:
    scores, false = np.array([0.9, 0.8, 0.62, 0.1]), np.array([0.58, 0.5, 0.3])
    sure, f1 = groups.best_f1(scores, false)
    assert sure == pytest.approx(0.6)
    assert f1 == pytest.approx(2 * 3 / (3 + 0 + 4), abs=1e-3)


def test_recall_is_told_for_each_group() -> None:
    """Light and dark skin, small and large heads; who is in no group is in no cell."""
    rows = np.concatenate(
        [
            row(tone=0.5, head_x1=116, head_y1=66, band=0),
            row(tone=0.5, head_x1=116, head_y1=66, band=0),
            row(tone=5.0, head_x1=150, head_y1=100, band=3),
        ]
    )
    table = groups.table(rows, np.array([True, False, True]))
    assert table["skin"]["light"].startswith("0.500")
    assert table["skin"]["middle"] == "none to count"
    assert table["skin"]["dark"].endswith("of 1")
    assert table["head in pixels"]["9-18"].endswith("of 2")
    assert table["apparent age"]["older"].startswith("1.000")
    assert set(table) == set(groups.GROUPS)
