"""All rules by name, each with what it protects; the mutants name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.netlist import Board
from interlock.rules import gated, loops, pi, ratings, switch, upkeep, window

Rule = Callable[[Board], list[str]]

RULES: Mapping[str, Rule] = {
    "lines-pass-a-buffer": gated.lines_pass_a_buffer,
    "no-memory-that-keeps": gated.no_memory_that_keeps,
    "three-must-agree": switch.three_must_agree,
    "discharges": switch.discharges,
    "watchdog-window": window.bridges_and_ends,
    "cut-or-shorted": loops.cut_or_shorted,
    "nothing-feeds-back": pi.nothing_feeds_back,
    "software-cannot-grant": pi.software_cannot_grant,
    "lamp-in-series": pi.lamp_in_series,
    "within-ratings": ratings.within_ratings,
    "joined": ratings.joined,
    "test-points": upkeep.test_points,
    "parts-can-be-bought": upkeep.parts_can_be_bought,
}


def judge(board: Board) -> dict[str, list[str]]:
    """What each rule finds; an empty list where it holds."""
    return {name: rule(board) for name, rule in RULES.items()}
