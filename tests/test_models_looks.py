"""What the attributes network learns from: frequencies that overlap, clothes kept."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

TRAIN = Path(__file__).parent.parent / "models" / "train"
PEOPLE = 4000


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TRAIN))
    for name in ("looks", "solids"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("looks")


def styles(looks: ModuleType, held_out: bool = False) -> list[tuple[int, bool, Any]]:
    """(band, masculine, style) of as many people of each band and expression."""
    rng = np.random.default_rng(3)
    out = []
    for k in range(PEOPLE):
        band, masculine = k % 4, k // 4 % 2 == 1
        style = looks.sample_style(rng, band, 0.94 if masculine else 0.06, held_out)
        out.append((band, masculine, style))
    return out


@pytest.mark.parametrize(
    "table", ["MASCULINE_HATS", "FEMININE_HATS", "MASCULINE_THINGS", "FEMININE_THINGS"]
)
def test_some_wear_no_hat_and_carry_nothing(looks: ModuleType, table: str) -> None:
    rows = getattr(looks, table).values()
    assert all(0 < sum(row[band] for row in rows) < 1 for band in range(4))


@pytest.mark.parametrize(
    "cue",
    ["hair", "suit", "hood_on_back", "backpack", "headwear"],
)
def test_no_garment_gives_an_expression_or_an_age_away(
    looks: ModuleType, cue: str
) -> None:
    bands: dict[object, Counter[int]] = {}
    for band, _, style in styles(looks):
        bands.setdefault(getattr(style, cue), Counter())[band] += 1
    for worn, counts in bands.items():
        most = max(counts.values()) / counts.total()
        assert counts.total() < 40 or most < 0.9, f"{cue} {worn} is {counts}"


def test_an_eighth_of_all_are_dressed_as_anybody(looks: ModuleType) -> None:
    neutral = [style.neutral for _, _, style in styles(looks)]
    assert np.mean(neutral) == pytest.approx(looks.NEUTRAL, abs=0.02)


def test_long_hair_is_worn_by_some_of_either(looks: ModuleType) -> None:
    long = [[], []]
    for _, masculine, style in styles(looks):
        long[masculine].append(style.hair in looks.TIPPED)
    assert 0.5 < np.mean(long[0]) < 0.9
    assert 0.04 < np.mean(long[1]) < 0.2


def test_grey_hair_comes_by_degrees(looks: ModuleType) -> None:
    grey = np.array([[band, style.grey] for band, _, style in styles(looks)])
    mean = [grey[grey[:, 0] == band, 1].mean() for band in range(4)]
    assert mean == sorted(mean)
    assert 0.05 < (grey[grey[:, 0] == 3, 1] == 0).mean() < 0.2, "dyed"


def test_who_is_held_out_wears_nothing_that_is_trained_on(looks: ModuleType) -> None:
    trained = styles(looks)
    held = styles(looks, held_out=True)
    assert not {s.suit for *_, s in trained} & {s.suit for *_, s in held}
    hair = {s.hair for *_, s in trained} & {s.hair for *_, s in held}
    assert hair <= {"none"}
