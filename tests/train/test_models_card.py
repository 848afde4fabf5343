"""The attributes card says what was measured, table by table."""

from __future__ import annotations

import json

import pytest

from doorsill_train.judge import tables
from doorsill_train.shipped import MODELS

CARD = (MODELS / "attributes.md").read_text()


def measured(name: str) -> dict[str, dict]:
    report: dict[str, dict] = json.loads((MODELS / "eval" / name).read_text())
    return report


def rows(table: str) -> list[str]:
    return table.splitlines()[2:]


def test_the_card_says_how_often_it_is_right() -> None:
    found = rows(tables.accuracies(measured("attributes.json")))
    assert len(found) == 4
    assert [row for row in found if row not in CARD] == []


def test_the_card_says_how_often_each_band_is_found_and_right() -> None:
    found = rows(tables.of_each(measured("attributes.json")))
    assert len(found) == 4
    assert [row for row in found if row not in CARD] == []


@pytest.mark.parametrize(("name", "labels"), [("age", 2), ("expression", 2)])
def test_the_card_says_who_is_taken_for_whom(name: str, labels: int) -> None:
    found = rows(tables.confusions(name, measured("attributes.json")[name]))
    assert len(found) == labels
    assert [row for row in found if row not in CARD] == []


def test_the_card_says_for_whom_it_is_worse() -> None:
    found = rows(tables.groups(measured("attributes.json")))
    assert len(found) == 12
    assert [row for row in found if row not in CARD] == []


def test_the_card_says_how_far_off_corrected_shares_are() -> None:
    found = rows(tables.shares(measured("shares.json")))
    assert len(found) == 6
    assert [row for row in found if row not in CARD] == []


def test_a_figure_that_was_not_measured_would_show() -> None:
    report = measured("attributes.json")
    report["age"]["unknown"] = 0.999
    wrong = rows(tables.accuracies(report))
    assert [row for row in wrong if row not in CARD] == wrong[:1]
