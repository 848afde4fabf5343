"""What the attributes' answers on held-out people are worth, and what is left unknown.

One half of these people fixes the temperature and the least confidence (``calibrate``),
the other half gives the figures (``measured``): right among the known, for whom less.
"""

from __future__ import annotations

import numpy as np

from doorsill.evaluation.measure import Share
from doorsill_train.learn.crops import COLUMN

# Of the calibrating half: left out; right among the others, and of those told one band;
# and who is told so, in people.
UNKNOWN, RIGHT_AT_LEAST, EACH_AT_LEAST, FEWEST = 0.185, 0.8, 0.65, 40
CONFUSION = "confusion_truth_by_answer_then_unknown"
OTHER_HALF = "confusion_of_the_calibration_half"
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(4), 80))
TONE_GROUPS = ("light", "middle", "dark")  # of the rendered skin
SHAPE_GROUPS = ("slim", "average", "heavy")
VIEW_GROUPS = ("low", "oblique", "steep")


def shares(values: np.ndarray, temperature: float, table: np.ndarray) -> np.ndarray:
    """(people, readings, labels) logits -> (people, bands), averaged as on a device.

    ``table`` (labels, bands) says which labels are told as one band.
    """
    raised = np.exp((values - values.max(axis=2, keepdims=True)) / temperature)
    averaged: np.ndarray = (raised / raised.sum(axis=2, keepdims=True)).mean(axis=1)
    told: np.ndarray = averaged @ table
    return told


def calibrate(
    values: np.ndarray, truth: np.ndarray, table: np.ndarray
) -> tuple[float, float]:
    """Temperature of the least surprise, and the least confidence.

    ``truth`` (people,) are bands. Nearly a fifth is left out; more, where those that
    remain are right too seldom, all of them or those that are told one band: then
    nearly all, or all, is unknown. What says one band of everybody is never believed.
    """
    rows = np.arange(len(truth))
    surprise = [
        -np.log(shares(values, t, table)[rows, truth] + 1e-9).mean()
        for t in TEMPERATURES
    ]
    temperature = float(TEMPERATURES[int(np.argmin(surprise))])
    sure = shares(values, temperature, table)
    confidence, best = sure.max(axis=1), sure.argmax(axis=1)
    for least in np.linspace(np.quantile(confidence, UNKNOWN), 1, 80):
        known = confidence >= least
        if worth(best[known], truth[known], sure.shape[1]):
            return temperature, float(least)
    return temperature, 1.0


def worth(best: np.ndarray, truth: np.ndarray, bands: int) -> bool:
    """Whether answers are right often enough, in all and for each band."""
    right = best == truth
    for band in range(bands):
        told = best == band
        if told.sum() < FEWEST or right[told].mean() < EACH_AT_LEAST:
            return False
    return bool(right.mean() >= RIGHT_AT_LEAST)


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
    values: np.ndarray,
    truth: np.ndarray,
    rows: np.ndarray,
    rule: tuple[float, float],
    table: np.ndarray,
) -> dict[str, object]:
    """Accuracy among the known, unknown share, calibration, confusion, groups.

    ``truth`` (people,) are bands; ``table`` as for ``shares``.
    """
    temperature, least = rule
    sure = shares(values, temperature, table)
    best, confidence = sure.argmax(axis=1), sure.max(axis=1)
    known = confidence >= least
    right = best == truth
    bands = table.shape[1]
    confusion = confusions(truth, np.where(known, best, bands), bands)
    return _of_all(right, known, confidence) | {
        CONFUSION: confusion.tolist(),
        "each": each(confusion),
        "groups": _of_groups(right, known, rows),
        "gap_skin_points": gap(right[known], rows[known], "skin"),
        "gap_shape_points": gap(right[known], rows[known], "shape"),
    }


def _of_groups(
    right: np.ndarray, known: np.ndarray, rows: np.ndarray
) -> dict[str, str]:
    table = {}
    for name, member in groups(rows).items():
        mine = member & known
        share = Share(int(right[mine].sum()), int(mine.sum()))
        unknown = 1 - mine.sum() / max(member.sum(), 1)
        table[name] = f"{share}, unknown {unknown:.3f}"
    return table


def _of_all(
    right: np.ndarray, known: np.ndarray, confidence: np.ndarray
) -> dict[str, object]:
    return {
        "accuracy": str(Share(int(right[known].sum()), int(known.sum()))),
        "accuracy_without_unknown": str(Share(int(right.sum()), len(right))),
        "unknown": round(1 - float(known.mean()), 3),
        "calibration_error": round(calibration_error(confidence, right), 3),
    }


def each(confusion: np.ndarray) -> dict[str, object]:
    """Of each band, in their order: how many of its people are told so, and how often
    the answer is right.

    ``recall`` is of those that are not unknown, and ``balanced`` its mean: what always
    says one band has a half there.
    """
    told = confusion[:, :-1]
    pairs = [
        (int(told[k, k]), int(told[k].sum()), int(told[:, k].sum()))
        for k in range(len(told))
    ]
    recalls = [hit / max(there, 1) for hit, there, _ in pairs]
    return {
        "recall": [str(Share(hit, there)) for hit, there, _ in pairs],
        "precision": [str(Share(hit, said)) for hit, _, said in pairs],
        "balanced": round(float(np.mean(recalls)), 3),
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
