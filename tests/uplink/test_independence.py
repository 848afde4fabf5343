"""The noise of one cell says nothing of another's: not in its report, not in the next.

2,000 reports of the real path of ``looks`` on one truth, as the broker would get them.
What is left when the truth is taken away is the noise, in eight cells. All pairs of
cells are correlated: in one report, with the report after it and with the one after
that; once with the sign of the noise and once without, as two cells may share a size
and toss their own signs.

The bound is of statistics, not of taste: without dependence, r * sqrt(n) is nearly
normal, so z of five sigma, spread over all pairs (Bonferroni), is reached by chance in
one of 1.7 million runs of this file; and the draws are seeded, so this one is no such.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from doorsill.cells import Age, Expression, LooksCell
from doorsill.privacy import noise
from doorsill.privacy.budget import CEILING_MICRO, Ledger, report_cost
from doorsill.privacy.floors import DAY_S, K_FLOOR, SLOT_S
from doorsill.uplink.attributes import AttributeRules, ReportContext, consider
from doorsill.uplink.pieces import Places
from doorsill.uplink.reports import Release
from doorsill.wire.codec import decode
from doorsill.wire.messages import age_cells, expression_cells

REPORTS = 2_000
LATER = 1, 2  # reports after the one that is looked at
AGES, EXPRESSIONS = (0, 19, 1), (11, 9, 0)  # two of the cells hold nobody
UNKNOWN = 5  # who came in and was not looked at
TRUTH = {
    **age_cells((*AGES[:-1], AGES[-1] + UNKNOWN)),
    **expression_cells((*EXPRESSIONS[:-1], EXPRESSIONS[-1] + UNKNOWN)),
}
CELLS = len(Age) + len(Expression)
PAIRS = CELLS * (CELLS - 1) // 2 + len(LATER) * CELLS**2
FIVE_SIGMA = 2 * (1 - NormalDist().cdf(5.0))  # 5.7e-7, for all that is asked together
RULES = AttributeRules(True, K_FLOOR, CEILING_MICRO, Places(1, 0))
SCALE = noise.scale_of(report_cost(RULES.daily_micro, RULES.places.lines))
RELEASE = Release("1.2.3", "ab" * 16, "cd" * 16)

Noise = NDArray[np.float64]  # (reports, cells)


def bound(questions: int, deviation: float) -> float:
    """How far a mean of REPORTS values of this deviation may be from its own."""
    z = NormalDist().inv_cdf(1 - FIVE_SIGMA / questions / 2)
    return z * deviation / REPORTS**0.5


def noise_of_reports() -> Noise:
    """The cells of REPORTS reports, less the truth."""
    below = random.Random(11).randrange
    people = sum(AGES) + UNKNOWN
    rows = []
    for number in range(REPORTS):
        start = number * DAY_S
        cell = LooksCell(0, start, start + SLOT_S, AGES, EXPRESSIONS)
        told = consider(
            cell, people, RULES, Ledger(0, 0), ReportContext(RELEASE, below)
        ).report
        assert told is not None
        message = decode("attributes", told.payload)
        rows.append([getattr(message, name) - TRUTH[name] for name in TRUTH])
    return np.array(rows, dtype=np.float64)


def strongest(values: Noise) -> float:
    """The largest correlation of any two cells, with and without the sign."""
    found = []
    for each in (values, abs(values)):
        within = np.corrcoef(each, rowvar=False)
        found.append(within[np.triu_indices(CELLS, 1)])
        for later in LATER:
            both = np.hstack([each[:-later], each[later:]])
            found.append(np.corrcoef(both, rowvar=False)[:CELLS, CELLS:].ravel())
    together = np.concatenate(found)
    assert together.size == 2 * PAIRS
    return float(abs(together).max())


@pytest.fixture(scope="module")
def values() -> Noise:
    return noise_of_reports()


def test_the_noise_of_no_cell_says_anything_of_another(values: Noise) -> None:
    assert strongest(values) < bound(2 * PAIRS, deviation=1.0)


def test_every_cell_has_its_whole_noise_whatever_it_holds(values: Noise) -> None:
    """Mean 0 and the variance of the formula; its fourth moment bounds the second's."""
    decay = np.exp(-1 / float(SCALE))
    wanted = 2 * decay / (1 - decay) ** 2
    fourth = wanted * (1 + 10 * decay + decay**2) / (1 - decay) ** 2
    assert (abs(values.mean(axis=0)) < bound(2 * CELLS, wanted**0.5)).all()
    off = abs((values**2).mean(axis=0) - wanted)
    assert (off < bound(2 * CELLS, (fourth - wanted**2) ** 0.5)).all()


def shared(values: Noise) -> Noise:
    """Feminine and masculine with one noise: their difference is exact."""
    wrong = values.copy()
    wrong[:, len(Age) + 1] = wrong[:, len(Age)]
    return wrong


def reused(values: Noise) -> Noise:
    """Each second report takes the noise of the one before it."""
    wrong = values.copy()
    wrong[1::2] = wrong[::2]
    return wrong


def own_sign(values: Noise) -> Noise:
    """One size for two cells, each with its own sign: no correlation as they stand."""
    wrong = values.copy()
    signs = np.random.default_rng(1).choice((-1.0, 1.0), len(values))
    wrong[:, 1] = signs * wrong[:, 0]
    assert abs(np.corrcoef(wrong[:, 0], wrong[:, 1])[0, 1]) < 0.1
    return wrong


def moved(values: Noise) -> Noise:
    """A cell takes the noise that its neighbour had two reports ago."""
    wrong = values.copy()
    wrong[2:, 3] = values[:-2, 2]
    return wrong


def a_part(values: Noise) -> Noise:
    """A fifth of the noise's variance is one for all cells of a report."""
    common = np.random.default_rng(2).permutation(values[:, :1])
    wrong: Noise = 0.8**0.5 * values + 0.2**0.5 * common
    return wrong


@pytest.mark.parametrize("wrong", [shared, reused, own_sign, moved, a_part])
def test_negative_control_noise_that_depends_is_found(
    values: Noise, wrong: Callable[[Noise], Noise]
) -> None:
    assert strongest(wrong(values)) > bound(2 * PAIRS, deviation=1.0)


@pytest.mark.parametrize(
    "once",
    [
        pytest.param(True, id="one noise for all cells of a histogram"),
        pytest.param(False, id="the same draws for both histograms"),
    ],
)
def test_negative_control_in_the_product_itself(
    once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``add_noise`` as somebody in a hurry would write it."""
    drawn: list[int] = []
    histograms = itertools.cycle(("ages", "expressions"))  # as a report asks for them

    def hurried(
        counts: tuple[int, ...], scale: object, below: noise.Below
    ) -> tuple[int, ...]:
        if next(histograms) == "ages" or once:
            size = 1 if once else len(Age)
            drawn[:] = [noise.discrete_laplace(SCALE, below) for _ in range(size)]
        return tuple(
            count + drawn[index % len(drawn)] for index, count in enumerate(counts)
        )

    monkeypatch.setattr(noise, "add_noise", hurried)
    assert strongest(noise_of_reports()) > bound(2 * PAIRS, deviation=1.0)
