"""What the attributes' answers on held-out people are worth, and what is left unknown.

One half of these people fixes the temperature and the least confidence (``calibrate``),
the other half gives the figures (``measured``): right among the known, for whom less.
"""

from __future__ import annotations

import numpy as np

from doorsill.evaluation.measure import Share
from doorsill_train.learn.crops import COLUMN

UNKNOWN, RIGHT_AT_LEAST, FEWEST = 0.185, 0.65, 40  # of the calibrating half
CONFUSION = "confusion_truth_by_answer_then_unknown"
OTHER_HALF = "confusion_of_the_calibration_half"
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(4), 80))
TONE_GROUPS = ("light", "middle", "dark")  # of the rendered skin
SHAPE_GROUPS = ("slim", "average", "heavy")
VIEW_GROUPS = ("low", "oblique", "steep")


def shares(values: np.ndarray, temperature: float) -> np.ndarray:
    """(people, readings, labels) logits -> (people, labels), averaged as on a device"""
    raised = np.exp((values - values.max(axis=2, keepdims=True)) / temperature)
    averaged: np.ndarray = (raised / raised.sum(axis=2, keepdims=True)).mean(axis=1)
    return averaged


def calibrate(values: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Temperature of the least surprise, and the least confidence.

    Nearly a fifth is left out; more, where those that remain are right too seldom:
    then nearly all, or all, is unknown.
    """
    rows = np.arange(len(truth))
    surprise = [
        -np.log(shares(values, t)[rows, truth] + 1e-9).mean() for t in TEMPERATURES
    ]
    temperature = float(TEMPERATURES[int(np.argmin(surprise))])
    sure = shares(values, temperature)
    confidence, right = sure.max(axis=1), sure.argmax(axis=1) == truth
    for least in np.linspace(np.quantile(confidence, UNKNOWN), 1, 80):
        known = confidence >= least
        if known.sum() >= FEWEST and right[known].mean() >= RIGHT_AT_LEAST:
            return temperature, float(least)
    return temperature, 1.0


def groups(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Membership of each skin-tone and shape group, and of each condition."""
    tone = np.minimum(rows[:, COLUMN["tone"]] // (5 / 3), 2).astype(int)
    shape = np.digitize(rows[:, COLUMN["weight"]], (-0.25, 0.45))
    view, cut = rows[:, COLUMN["view"]], rows[:, COLUMN["cut"]] > 0
    covered = rows[:, COLUMN["covered"]] > 0
    out = {f"skin {name}": tone == k for k, name in enumerate(TONE_GROUPS)}
    out |= {f"shape {name}": shape == k for k, name in enumerate(SHAPE_GROUPS)}
    out |= {f"view {name}": view == k for k, name in enumerate(VIEW_GROUPS)}
    return out | {"whole": ~cut & ~covered, "cut": cut, "covered": covered}


def gap(right: np.ndarray, rows: np.ndarray, kind: str) -> float:
    """Largest difference between groups of a kind, in points."""
    members = [m for name, m in groups(rows).items() if name.startswith(kind)]
    parts = [float(right[m].mean()) for m in members if m.any()]
    return round(100 * (max(parts) - min(parts)), 1) if parts else 0.0


def measured(
    values: np.ndarray, truth: np.ndarray, rows: np.ndarray, rule: tuple[float, float]
) -> dict[str, object]:
    """Accuracy among the known, unknown share, calibration, confusion, groups."""
    temperature, least = rule
    sure = shares(values, temperature)
    best, confidence = sure.argmax(axis=1), sure.max(axis=1)
    known = confidence >= least
    right = best == truth
    confusion = confusions(
        truth, np.where(known, best, values.shape[2]), values.shape[2]
    )
    table = {}
    for name, member in groups(rows).items():
        mine = member & known
        share = Share(int(right[mine].sum()), int(mine.sum()))
        unknown = 1 - mine.sum() / max(member.sum(), 1)
        table[name] = f"{share}, unknown {unknown:.3f}"
    return {
        "accuracy": str(Share(int(right[known].sum()), int(known.sum()))),
        "accuracy_without_unknown": str(Share(int(right.sum()), len(right))),
        "unknown": round(1 - float(known.mean()), 3),
        "calibration_error": round(calibration_error(confidence, right), 3),
        CONFUSION: confusion.tolist(),
        "groups": table,
        "gap_skin_points": gap(right[known], rows[known], "skin"),
        "gap_shape_points": gap(right[known], rows[known], "shape"),
    }


def confusions(truth: np.ndarray, answers: np.ndarray, labels: int) -> np.ndarray:
    """(truths, answers): the last answer is unknown."""
    table = np.zeros((labels, labels + 1), int)
    np.add.at(table, (truth, answers), 1)
    return table


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, bins: int = 10
) -> float:
    """Expected calibration error over equal bins of confidence."""
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (at == k).mean() * abs(confidence[at == k].mean() - right[at == k].mean())
        for k in range(bins)
        if (at == k).any()
    ]
    return float(sum(gaps))
