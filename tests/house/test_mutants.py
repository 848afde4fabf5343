"""The tool that changes the product finds what can be changed, and who notices."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mutants import __main__ as tool
from mutants.changes import changes_of, functions_only
from mutants.targets import SURVIVORS, TARGETS, Target

SOURCE = '''\
"""A module of three lines; 1 is no number here."""

LIMIT = 5  # least


def small(x: int, name: str = "1") -> bool:
    """Whether x is below 3."""
    if x < 0 and name:
        raise ValueError(f"x = {x}, below {LIMIT}")
    log.info("x is %d", x)
    return not x >= LIMIT + 1
'''


def test_each_decision_is_changed_and_no_word() -> None:
    found = {str(each) for each in changes_of(SOURCE)}
    assert found == {
        "module: 5 -> 6",
        "small: < -> <=",
        "small: 0 -> 1",
        "small: and -> or",
        'small: raise ValueError(f"x = {x}, below {LIMIT}") -> pass',
        "small: not x >= LIMIT + 1 -> bool(x >= LIMIT + 1)",
        "small: >= -> >",
        "small: + -> -",
        "small: 1 -> 2",
    }


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: each.module)
def test_every_changed_module_is_still_python(target: Target) -> None:
    source = (tool.ROOT / tool.PRODUCT / target.module).read_text(encoding="utf-8")
    changes = list(functions_only(changes_of(source), target.functions))
    assert changes
    for each in changes:
        assert each.applied(source) != source
        ast.parse(each.applied(source))
    assert tool.tests_of(target)


def test_at_least_three_hundred_changes_are_tried() -> None:
    assert sum(len(list(tool.mutants_of(each))) for each in TARGETS) >= 300


def test_every_sentence_is_of_a_change_that_can_be_made() -> None:
    known = {
        (each.module, mutant.name)
        for each in TARGETS
        for mutant in tool.mutants_of(each)
    }
    assert set(SURVIVORS) <= known
    assert not [
        key
        for key in SURVIVORS
        for each in TARGETS
        if each.module == key[0] and each.strict
    ]


AREAS = {
    "gate", "guard", "intake", "threshold", "noise", "budget", "verifier",
    "policy acceptance", "confinement",
}  # fmt: skip
STRICT = {"gate", "guard", "threshold", "noise", "policy acceptance"}


def test_every_area_is_changed_and_the_strict_ones_everywhere() -> None:
    assert {each.area for each in TARGETS} >= AREAS
    strict = {each.area for each in TARGETS if each.strict and each.sample is None}
    assert strict == STRICT


def test_one_that_matters_is_noticed_and_one_that_does_not_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control in both directions, on the real tests of the real budget.

    And what was found is known after a cut, and says who is to be asked first.
    """
    target = next(each for each in TARGETS if each.area == "budget")
    mutants = list(tool.mutants_of(target))
    matters = next(each for each in mutants if each.name.startswith("spend: >"))
    nothing = type(matters.change)(0, 0, "", 1, "module", "")
    unchanged = tool.Mutant(target, nothing, "nothing")
    monkeypatch.setattr(tool, "DONE", tmp_path / "done.jsonl")
    with tool.workshop(1, tool.Known()) as shop:
        _, by = shop.tried(matters)
        assert by.startswith("tests/privacy/test_budget.py::test_")
        assert shop.tried(unchanged) == (unchanged, "")
    tool.Known().add(matters, by)
    assert tool.Known().by == {matters.key: by}
    whole = tool.Whole(1.0, {"slow": frozenset({matters.change.line})})
    before = tool.Known().before[target.module, matters.name]
    assert whole.first(matters.change, before) == [by, "slow"]
