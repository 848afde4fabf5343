"""The attributes card says what was measured, table by table."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

MODELS = Path(__file__).parent.parent / "models"
CARD = (MODELS / "attributes.md").read_text()


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(MODELS / "train"))
    monkeypatch.delitem(sys.modules, "tables", raising=False)
    return importlib.import_module("tables")


def measured(name: str) -> dict[str, dict]:
    report: dict[str, dict] = json.loads((MODELS / "eval" / name).read_text())
    return report


def rows(table: str) -> list[str]:
    return table.splitlines()[2:]


def test_the_card_says_how_often_it_is_right(tables: ModuleType) -> None:
    found = rows(tables.accuracies(measured("attributes.json")))
    assert len(found) == 4
    assert [row for row in found if row not in CARD] == []


@pytest.mark.parametrize(("name", "labels"), [("age", 4), ("expression", 2)])
def test_the_card_says_who_is_taken_for_whom(
    tables: ModuleType, name: str, labels: int
) -> None:
    found = rows(tables.confusions(name, measured("attributes.json")[name]))
    assert len(found) == labels
    assert [row for row in found if row not in CARD] == []


def test_the_card_says_for_whom_it_is_worse(tables: ModuleType) -> None:
    found = rows(tables.groups(measured("attributes.json")))
    assert len(found) == 12
    assert [row for row in found if row not in CARD] == []


def test_the_card_says_how_far_off_corrected_shares_are(tables: ModuleType) -> None:
    found = rows(tables.shares(measured("shares.json")))
    assert len(found) == 6
    assert [row for row in found if row not in CARD] == []


def test_a_figure_that_was_not_measured_would_show(tables: ModuleType) -> None:
    report = measured("attributes.json")
    report["age"]["unknown"] = 0.999
    wrong = rows(tables.accuracies(report))
    assert [row for row in wrong if row not in CARD] == wrong[:1]
