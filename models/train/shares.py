"""Are corrected shares honest? Simulated days with skewed mixes: ``shares.py JSON``.

A store sees how often each answer (or *unknown*) was given, not who was there. With the
confusion matrix of the model card the mix is estimated by expectation maximisation
(Dempster, Laird, Rubin 1977); intervals resample the day and the matrix.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

DAYS, PEOPLE, RESAMPLES, ROUNDS = 300, 400, 200, 60
MIXES = {
    "age": [[0.05, 0.6, 0.3, 0.05], [0.4, 0.1, 0.4, 0.1], [0.02, 0.1, 0.28, 0.6]],
    "expression": [[0.15, 0.85], [0.5, 0.5], [0.9, 0.1]],
}


def corrected(seen: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Shares of the true groups; confusion is (..., truths, answers)."""
    chance = confusion / confusion.sum(axis=-1, keepdims=True)
    share = np.full((*seen.shape[:-1], chance.shape[-2]), 1 / chance.shape[-2])
    for _ in range(ROUNDS):
        joint = share[..., :, None] * chance
        given = joint / np.maximum(joint.sum(axis=-2, keepdims=True), 1e-12)
        share = (given * seen[..., None, :]).sum(axis=-1)
        share /= share.sum(axis=-1, keepdims=True)
    return share


def simulate(
    name: str, known: np.ndarray, real: np.ndarray, rng: np.random.Generator
) -> list[str]:
    """Days drawn from ``real`` behaviour, corrected with the ``known`` matrix."""
    chance = real / real.sum(axis=1, keepdims=True)
    lines = []
    for mix in MIXES[name]:
        errors, inside = [], []
        for _ in range(DAYS):
            truth = rng.multinomial(PEOPLE, mix)
            seen = sum(
                rng.multinomial(n, row) for n, row in zip(truth, chance, strict=True)
            )
            share = corrected(seen, known)
            days = rng.multinomial(PEOPLE, seen / PEOPLE, RESAMPLES)
            rows = [rng.dirichlet(row + 0.5, RESAMPLES) for row in known]
            again = corrected(days, np.stack(rows, axis=1))
            low, high = np.percentile(again, (2.5, 97.5), axis=0)
            there = truth / PEOPLE
            errors.append(share - there)
            inside.append((low <= there) & (there <= high))
        bias = np.abs(np.mean(errors, axis=0)).max() * 100
        cover = np.mean(inside) * 100
        lines.append(
            f"{name} {mix}: bias {bias:.1f} points, intervals cover {cover:.0f} %"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="what publish_attributes.py printed")
    args = parser.parse_args()
    report = json.loads(args.report.read_text())
    rng = np.random.default_rng(11)
    for name, table in report.items():
        known = np.array(table["confusion_of_the_calibration_half"], float)
        real = np.array(table["confusion_truth_by_answer_then_unknown"], float)
        for line in simulate(name, known, real, rng):
            print(line)


if __name__ == "__main__":
    main()
