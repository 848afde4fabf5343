"""The board keeps every rule, and every rule can fail."""

from __future__ import annotations

import pytest

from interlock.errors import BoardError
from interlock.netlist import BOARD, load_board
from interlock.parts import CATALOGUE
from interlock.rules import loops, switch
from interlock.rules.book import RULES
from interlock.rules.mutants import MUTANTS, Mutant, caught, without_mutant


@pytest.mark.parametrize("rule", RULES)
def test_the_board_keeps_the_rule(rule: str) -> None:
    assert RULES[rule](load_board()) == []


@pytest.mark.parametrize("mutant", [pytest.param(m, id=m.says) for m in MUTANTS])
def test_the_rule_trips_on_its_mutant(mutant: Mutant) -> None:
    assert mutant.rule in caught(mutant)


def test_every_rule_has_a_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(without_mutant()) == []
    monkeypatch.setitem(dict(RULES), "new", lambda board: [])
    monkeypatch.setattr("interlock.rules.mutants.RULES", {**RULES, "new": list})
    assert list(without_mutant()) == ["new"]


def test_a_mutant_that_no_longer_fits_is_an_error() -> None:
    stale = Mutant("stale", "joined", "U99=", "U98=")
    with pytest.raises(BoardError, match="'stale' does not fit the board any more"):
        stale.apply(BOARD.read_text("utf-8"), CATALOGUE.read_text("utf-8"))


def test_the_one_way_down_from_the_gate_asks_all_three() -> None:
    gate = "SWITCH_GATE"
    ways = list(switch.ways_down(load_board(), gate, frozenset((gate,))))
    assert ways == [frozenset({"TOKEN_OK", "CASE_OK", "WD_OK"})]


@pytest.mark.parametrize(
    ("level", "may"),
    [
        pytest.param((0.38, 0.39), True, id="inside"),
        pytest.param((0.0, 0.0), False, id="shorted"),
        pytest.param((1.0, 1.0), False, id="cut"),
        pytest.param((0.24, 0.26), None, id="on the lower edge"),
        pytest.param((0.495, 0.499), None, id="nearer than the comparator's error"),
    ],
)
def test_a_level_permits_only_if_it_does_so_for_sure(
    level: tuple[float, float], may: bool | None
) -> None:
    assert loops.permits(level, (0.25, 0.5)) is may


def test_the_window_is_that_of_the_ladder() -> None:
    assert loops.window(load_board()) == pytest.approx((0.25, 0.5))
