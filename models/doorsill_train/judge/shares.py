"""Are corrected shares honest? Simulated days with skewed mixes.

``python -m doorsill_train.judge.shares JSON``

A store sees how often each answer (or *unknown*) was given, not who was there. With the
confusion matrix of the model card the mix is estimated by least squares within the
simplex; intervals resample the day and the matrix. (Expectation maximisation has the
same aim, but with four age bands it was still far off after 400 rounds.)

Three questions about each mix. With the *right* matrix, is the correction unbiased?
With a matrix measured on as many people but others each day (*redrawn*), is it so on
average, and how far off is one such matrix for good (*offset*, root mean square; also
for both halves' people together)? And with the one that is *published*, of the
calibrating half, for the test half?
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np

from doorsill_train.judge.calibration import CONFUSION, OTHER_HALF

DAYS, PEOPLE, RESAMPLES = 300, 400, 200
RIDGE = 1e-9  # where answers tell two groups not apart, they are given as much
MIXES = {
    "age": [[0.02, 0.98], [0.2, 0.8], [0.5, 0.5]],
    "expression": [[0.15, 0.85], [0.5, 0.5], [0.9, 0.1]],
}


def corrected(seen: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Shares of the true groups (..., truths), none below 0, that sum to 1.

    ``seen`` (..., answers) and ``confusion`` (..., truths, answers) are counts. The
    squares are weighed as if all groups were alike, so the weights know nothing of the
    day: where no group is at 0 the shares are linear in what was seen, and unbiased.
    """
    chance = confusion / confusion.sum(axis=-1, keepdims=True)
    part = seen / seen.sum(axis=-1, keepdims=True)
    heavy = chance / np.maximum(chance.mean(axis=-2, keepdims=True), 1e-9)
    square = np.einsum("...ta,...ua->...tu", heavy, chance)
    square += RIDGE * np.eye(chance.shape[-2])
    wanted = np.einsum("...ta,...a->...t", heavy, part)
    best = np.full(wanted.shape, np.nan)
    least = np.full(wanted.shape[:-1], np.inf)
    for size in range(chance.shape[-2], 0, -1):
        for groups in combinations(range(chance.shape[-2]), size):
            share = _fitted(square, wanted, list(groups))
            loss = np.einsum("...t,...tu,...u->...", share, square, share)
            loss -= 2 * np.einsum("...t,...t->...", share, wanted)
            better = (share >= 0).all(axis=-1) & (loss < least)
            best, least = (
                np.where(better[..., None], share, best),
                np.where(better, loss, least),
            )
    return best


def _fitted(square: np.ndarray, wanted: np.ndarray, groups: list[int]) -> np.ndarray:
    """Least squares with a sum of 1 where all other groups are absent."""
    count = len(groups)
    table = np.ones((*square.shape[:-2], count + 1, count + 1))
    table[..., :count, :count] = square[..., groups, :][..., groups]
    table[..., count, count] = 0
    right = np.ones((*wanted.shape[:-1], count + 1, 1))
    right[..., :count, 0] = wanted[..., groups]
    share = np.zeros(wanted.shape)
    share[..., groups] = np.linalg.solve(table, right)[..., :count, 0]
    return share


def drawn(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another matrix of as many people who behave the same."""
    chance = counts / counts.sum(axis=1, keepdims=True)
    sizes = counts.sum(axis=1).astype(int)
    rows = zip(sizes, chance, strict=True)
    return np.array([rng.multinomial(n, row) for n, row in rows], float)


def answers(
    truth: np.ndarray, chance: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(days, answers) of as many people of each group (days, truths)."""
    drawn_rows = [rng.multinomial(truth[:, k], row) for k, row in enumerate(chance)]
    summed: np.ndarray = np.sum(drawn_rows, axis=0)
    return summed


def days(
    mix: list[float], real: np.ndarray, known: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(days, truths): error of the corrected share, and whether its interval holds.

    ``known`` (days, truths, answers) is the matrix that each day is corrected with.
    """
    truth = rng.multinomial(PEOPLE, mix, DAYS)
    seen = answers(truth, real / real.sum(axis=1, keepdims=True), rng)
    again = rng.multinomial(PEOPLE, seen[:, None] / PEOPLE, (DAYS, RESAMPLES))
    matrices = gamma_rows(known[:, None], (DAYS, RESAMPLES), rng)
    low, high = np.percentile(corrected(again, matrices), (2.5, 97.5), axis=1)
    there = truth / PEOPLE
    return corrected(seen, known) - there, (low <= there) & (there <= high)


def gamma_rows(
    counts: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Rows from a Dirichlet distribution, as gamma variates: (*shape, ...)."""
    return rng.gamma(np.broadcast_to(counts + 0.5, (*shape, *counts.shape[2:])))


def asked(
    mix: list[float], known: np.ndarray, real: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Points of bias and per cent of intervals that hold, for the three matrices."""
    size = known.sum(axis=1, keepdims=True) / real.sum(axis=1, keepdims=True)
    others = np.array([drawn(real * size, rng) for _ in range(DAYS)])
    kinds = {"right": real, "redrawn": others, "published": known}
    out = {}
    for kind, matrix in kinds.items():
        each = np.broadcast_to(matrix, others.shape)
        errors, inside = days(mix, real, each, rng)
        out[f"{kind}_bias_points"] = float(np.abs(errors.mean(axis=0)).max() * 100)
        out[f"{kind}_intervals_hold"] = float(inside.mean() * 100)
    both = np.array([drawn(real * (1 + size), rng) for _ in range(DAYS)])
    for name, matrices in (("offset", others), ("offset_of_both", both)):
        out[f"{name}_points"] = offset(mix, real, matrices)
    return out


def offset(mix: list[float], real: np.ndarray, known: np.ndarray) -> float:
    """Points (root mean square) that matrices ``known`` (n, ...) are off for good."""
    expected = np.array(mix) @ (real / real.sum(axis=1, keepdims=True))
    off = corrected(np.broadcast_to(expected, (len(known), len(expected))), known) - mix
    return float(np.sqrt((off**2).mean(axis=0)).max() * 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="eval/attributes.json")
    parser.add_argument("--out", type=Path, help="a JSON file")
    args = parser.parse_args()
    report = json.loads(args.report.read_text())
    rng = np.random.default_rng(11)
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, table in report.items():
        known = np.array(table[OTHER_HALF], float)
        real = np.array(table[CONFUSION], float)
        if not (known.sum(axis=1).all() and real.sum(axis=1).all()):
            print(f"{name}: too few people; some group has none")
            continue
        for mix in MIXES[name]:
            found = asked(mix, known, real, rng)
            result.setdefault(name, {})[str(mix)] = {
                key: round(value, 1) for key, value in found.items()
            }
            print(name, mix, json.dumps(result[name][str(mix)]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
