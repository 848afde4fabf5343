"""What the attributes network learns from: frequencies that overlap, clothes kept."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from doorsill_train.people import style

PEOPLE = 4000


def styles(held_out: bool = False) -> list[tuple[int, bool, style.Style]]:
    """(band, masculine, style) of as many people of each band and expression."""
    rng = np.random.default_rng(3)
    out = []
    for k in range(PEOPLE):
        band, masculine = k % 4, k // 4 % 2 == 1
        share = 0.94 if masculine else 0.06
        out.append((band, masculine, style.sample_style(rng, band, share, held_out)))
    return out


@pytest.mark.parametrize(
    "table", ["MASCULINE_HATS", "FEMININE_HATS", "MASCULINE_THINGS", "FEMININE_THINGS"]
)
def test_some_wear_no_hat_and_carry_nothing(table: str) -> None:
    rows = getattr(style, table).values()
    assert all(0 < sum(row[band] for row in rows) < 1 for band in range(4))


@pytest.mark.parametrize(
    "cue",
    ["hair", "suit", "hood_on_back", "backpack", "headwear"],
)
def test_no_garment_gives_an_expression_or_an_age_away(cue: str) -> None:
    bands: dict[object, Counter[int]] = {}
    for band, _, worn in styles():
        bands.setdefault(getattr(worn, cue), Counter())[band] += 1
    for kind, counts in bands.items():
        most = max(counts.values()) / counts.total()
        assert counts.total() < 40 or most < 0.9, f"{cue} {kind} is {counts}"


def test_an_eighth_of_all_are_dressed_as_anybody() -> None:
    neutral = [worn.neutral for _, _, worn in styles()]
    assert np.mean(neutral) == pytest.approx(style.NEUTRAL, abs=0.02)


def test_long_hair_is_worn_by_some_of_either() -> None:
    long = [[], []]
    for _, masculine, worn in styles():
        long[masculine].append(worn.hair in style.TIPPED)
    assert 0.5 < np.mean(long[0]) < 0.9
    assert 0.04 < np.mean(long[1]) < 0.2


def test_grey_hair_comes_by_degrees() -> None:
    grey = np.array([[band, worn.grey] for band, _, worn in styles()])
    mean = [grey[grey[:, 0] == band, 1].mean() for band in range(4)]
    assert mean == sorted(mean)
    assert 0.05 < (grey[grey[:, 0] == 3, 1] == 0).mean() < 0.2, "dyed"


def test_who_is_held_out_wears_nothing_that_is_trained_on() -> None:
    trained = styles()
    held = styles(held_out=True)
    assert not {s.suit for *_, s in trained} & {s.suit for *_, s in held}
    hair = {s.hair for *_, s in trained} & {s.hair for *_, s in held}
    assert hair <= {"none"}
