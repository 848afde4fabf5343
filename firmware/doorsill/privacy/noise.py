"""Exact discrete Laplace noise: integers and fractions only, no float anywhere.

    P(noise = x)  is proportional to  exp(-|x| / scale)

Adding it with ``scale = sensitivity / epsilon`` to a count makes the count
epsilon-differentially private. *Event level*: what epsilon hides is one crossing of one
line. Somebody who crosses m times in a day is m events, each in one report alone, and
gives away m times as much; ``budget`` makes a report so cheap that CROSSINGS_OF_ONE of
them cost the epsilon of the day (DESIGN.md).

Sensitivity: one crossing adds 1 to exactly one cell of the age histogram and 1 to
exactly one cell of the expression histogram. Each histogram has sensitivity 1 (L1,
neighbours differ by one crossing more or less), so a report that costs epsilon gives
each of the two epsilon/2.

Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy"
(2020), algorithms 1 and 2. Floats would leak through their rounding (Mironov 2012).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

HISTOGRAMS = 2  # ages and expressions; each crossing counts once in each
MICRO = 1_000_000  # budgets are whole millionths of epsilon

Below = Callable[[int], int]
"""``below(n)`` is a uniform integer in 0..n-1; on a device ``secrets.randbelow``."""


def scale_of(report_micro: int) -> Fraction:
    """The scale of each cell's noise in a report; ``report_micro`` is its cost.

    The cost is in millionths of epsilon, the scale in crossings.
    """
    return Fraction(HISTOGRAMS * MICRO, report_micro)


def add_noise(
    counts: tuple[int, ...], scale: Fraction, below: Below
) -> tuple[int, ...]:
    """``counts``, each with fresh noise; unbiased, so a cell may come out negative."""
    return tuple(count + discrete_laplace(scale, below) for count in counts)


def discrete_laplace(scale: Fraction, below: Below) -> int:
    """One integer; P(x) is proportional to exp(-|x| / scale).

    Raises ValueError where the scale is not above 0.
    """
    if scale <= 0:
        raise ValueError(f"scale = {scale} must be above 0")
    t, s = scale.numerator, scale.denominator
    while True:
        u = below(t)
        if not _bernoulli_exp(Fraction(u, t), below):
            continue
        v = 0
        while _bernoulli_exp(Fraction(1), below):
            v += 1
        size = (u + t * v) // s
        negative = below(2) == 1
        if negative and size == 0:
            continue  # otherwise 0 would come twice as often
        return -size if negative else size


def _bernoulli_exp(x: Fraction, below: Below) -> bool:
    """True with probability exp(-x), exactly, for 0 <= x <= 1."""
    k = 1
    while below(x.denominator * k) < x.numerator:
        k += 1
    return k % 2 == 1
