"""The noise is exactly what the formula says, and agrees with opendp's."""

from __future__ import annotations

import ast
import inspect
import math
import random
import secrets
from collections import Counter
from fractions import Fraction

import opendp.prelude as dp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.privacy import budget, floors, noise, threshold
from doorsill.privacy.noise import add_noise, discrete_laplace, scale_of

DRAWS = 20_000


def probability(x: int, scale: Fraction) -> float:
    decay = math.exp(-1 / scale)
    return (1 - decay) / (1 + decay) * decay ** abs(x)


def ours(scale: Fraction, draws: int, seed: int) -> Counter[int]:
    below = random.Random(seed).randrange
    return Counter(discrete_laplace(scale, below) for _ in range(draws))


def opendps(scale: Fraction, draws: int) -> Counter[int]:
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    release = dp.m.make_laplace(*space, scale=float(scale))
    return Counter(release([0] * draws))


def cells(scale: Fraction, draws: int) -> list[tuple[int, int]]:
    """Ranges of values that hold 50 draws or more each, the tails in two."""
    edge = 0
    while draws * probability(edge + 1, scale) >= 50:
        edge += 1
    inner = [(x, x) for x in range(-edge, edge + 1)]
    return [(-(10**9), -edge - 1), *inner, (edge + 1, 10**9)]


def held(counts: Counter[int], low: int, high: int) -> int:
    return sum(number for value, number in counts.items() if low <= value <= high)


def expected(scale: Fraction, low: int, high: int) -> float:
    return sum(probability(x, scale) for x in range(max(low, -999), min(high, 999) + 1))


def limit(freedom: int) -> float:
    """Chi-square at p = 1e-6 (Wilson and Hilferty 1931)."""
    z, spread = 4.7534, 2 / (9 * freedom)
    return float(freedom * (1 - spread + z * math.sqrt(spread)) ** 3)


def against_formula(counts: Counter[int], scale: Fraction) -> tuple[float, float]:
    bins = cells(scale, DRAWS)
    total = 0.0
    for low, high in bins:
        wanted = DRAWS * expected(scale, low, high)
        total += (held(counts, low, high) - wanted) ** 2 / wanted
    return total, limit(len(bins) - 1)


SCALES = [Fraction(1, 2), Fraction(1), Fraction(7, 3), Fraction(8)]


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_the_noise_has_the_distribution_of_its_formula(scale: Fraction) -> None:
    statistic, most = against_formula(ours(scale, DRAWS, seed=1), scale)
    assert statistic < most


@pytest.mark.parametrize("scale", [Fraction(1), Fraction(8)], ids=str)
def test_the_noise_agrees_with_opendp(scale: Fraction) -> None:
    """Two samples of one distribution, chi-square for equal sizes."""
    mine, theirs = ours(scale, DRAWS, seed=2), opendps(scale, DRAWS)
    bins = cells(scale, DRAWS)
    pairs = [(held(mine, *each), held(theirs, *each)) for each in bins]
    statistic = sum((a - b) ** 2 / (a + b) for a, b in pairs)
    assert statistic < limit(len(bins) - 1)
    assert against_formula(theirs, scale)[0] < limit(len(bins) - 1)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda n: abs(n), id="one-sided"),
        pytest.param(lambda n: n if n else random.choice((-1, 1)), id="no 0"),
        pytest.param(lambda n: n + 1, id="biased by one"),
        pytest.param(lambda n: max(-9, min(9, n)), id="clipped at three scales"),
    ],
)
def test_negative_control_a_wrong_noise_is_found(wrong: object) -> None:
    assert callable(wrong)
    scale = Fraction(3)
    drawn = ours(scale, DRAWS, seed=3).elements()
    counts = Counter(wrong(value) for value in drawn)
    statistic, most = against_formula(counts, scale)
    assert statistic > most


def test_one_crossing_more_or_less_changes_a_report_by_a_factor_of_e_to_epsilon() -> (
    None
):
    """The bound itself, in exact arithmetic on the formula: both histograms."""
    epsilon = Fraction(1, 4)
    scale = scale_of(int(epsilon * noise.MICRO))
    assert scale == Fraction(2) / epsilon
    for x in range(-200, 200):
        one = probability(x, scale) / probability(x - 1, scale)
        assert 1 / math.exp(epsilon / 2) - 1e-9 <= one <= math.exp(epsilon / 2) + 1e-9


def test_the_sampler_uses_no_float_and_no_weak_random_source() -> None:
    """An auditor's reading, by machine: no float, no ``random``, no ``math``."""
    for module in (noise, budget, threshold):
        tree = ast.parse(inspect.getsource(module))
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.Constant) and type(node.value) is float)
            assert not isinstance(node, ast.Div), module.__name__
            if isinstance(node, ast.Name):
                assert node.id not in {"float", "random", "math"}


@given(st.tuples(*[st.integers(0, 5000)] * 5), st.fractions(Fraction(1, 9), 9))
def test_counts_stay_whole_numbers(counts: tuple[int, ...], scale: Fraction) -> None:
    told = add_noise(counts, scale, secrets.randbelow)
    assert len(told) == len(counts)
    assert all(type(each) is int for each in told)


@pytest.mark.parametrize("scale", [Fraction(0), Fraction(-1)])
def test_noise_without_a_scale_is_refused(scale: Fraction) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        discrete_laplace(scale, secrets.randbelow)


@pytest.mark.parametrize(
    ("sign", "published"),
    [
        pytest.param(1, 9, id="a sign of one is a minus"),
        pytest.param(0, 11, id="a sign of zero is a plus"),
    ],
)
def test_the_noise_is_added_with_its_sign(sign: int, published: int) -> None:
    """Scale 2 by hand: u = 1, kept; no whole scale more; so the size is 1."""
    drawn = iter([1, 1, 0, 1, sign])
    assert add_noise((10,), Fraction(2), lambda below: next(drawn)) == (published,)
    assert next(drawn, None) is None


def test_the_floors_are_what_the_promises_say() -> None:
    assert floors.K_FLOOR == 10
    assert floors.EPSILON_CEILING_PER_DAY == 2.0
