"""Every attack that once worked is held shut by a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from places import ROOT, TESTS

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.+) \| `([\w/]+\.py)::(\w+)` \|$", TEXT, re.M)


@cache
def _tests_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_the_table_is_read_whole() -> None:
    table = TEXT.partition("## Attacks and faults that once worked")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 1 > 30  # less its head


@pytest.mark.parametrize(("what", "file", "name"), ROWS)
def test_what_once_worked_has_a_test(what: str, file: str, name: str) -> None:
    assert name in _tests_of(file), what
