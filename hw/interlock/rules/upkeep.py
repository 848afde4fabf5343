"""What bench and buyer need: test points, sources, parts that are still made."""

from __future__ import annotations

from interlock.meaning import BENCH
from interlock.netlist import Board
from interlock.parts import LIVE

MOST_PARTS = 35  # that are bought and soldered


def test_points(board: Board) -> list[str]:
    """Every net that the bench needs has a pad."""
    touched = {each.net("1") for each in board.of_kind("pad")}
    return [f"{net} has no test point" for net in BENCH if net not in touched]


def parts_can_be_bought(board: Board) -> list[str]:
    """Two sources or a reason, still made, and few."""
    bought = [each for each in board.placed if each.part.kind != "pad"]
    found = [] if len(bought) <= MOST_PARTS else [f"{len(bought)} parts, limit 35"]
    for part in {each.part.name: each.part for each in bought}.values():
        if part.lifecycle not in LIVE:
            found.append(f"{part.number} is {part.lifecycle}: choose another")
        if not part.second and not part.one_source:
            found.append(f"{part.number} has one source, and no reason for it")
    return found
