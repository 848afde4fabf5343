"""The wires to the card reader and to the case: cut or shorted, they never permit.

3V3 ── 10 k ──┬── the wire ── contact ── 6.2 k at the far end ── GND
              └── window comparators
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from interlock.meaning import ALWAYS, END_OHM, END_TOLERANCE, GROUND, LOOPS
from interlock.netlist import Board

OFFSET = 0.007 / 3.2  # of a comparator, as a part of the supply


def window(board: Board) -> tuple[float, float]:
    """The two thresholds of the comparators as parts of the supply."""
    low = high = 0.0
    ladder = {each.ends: each.ohm for each in board.bridges() if _of_ladder(each.ends)}
    total = sum(ladder.values())
    for ends, ohm in ladder.items():
        if _rank(ends[1]) < 1:
            low += ohm
        if _rank(ends[1]) < 2:
            high += ohm
    return (low / total, high / total) if total else (0.0, 0.0)


def _rank(net: str) -> int:
    order = (GROUND, "WINDOW_LOW", "WINDOW_HIGH", "LADDER_TOP", ALWAYS)
    return order.index(net)


def _of_ladder(ends: tuple[str, str]) -> bool:
    inner = {"WINDOW_LOW", "WINDOW_HIGH", "LADDER_TOP"}
    return bool(inner & {*ends})


def pull_up(board: Board, loop: str) -> tuple[float, float]:
    """Ohm from the supply to a loop, and its tolerance; infinite where none is."""
    for each in board.bridges():
        if {*each.ends} == {ALWAYS, loop}:
            return each.ohm, each.placed.part.tolerance
    return float("inf"), 0.0


def at_worst(up: float, up_tolerance: float, end: float) -> tuple[float, float]:
    """Lowest and highest level of a loop that ends in ``end`` ohm, of the supply."""
    ends = [end * (1 + each * END_TOLERANCE) for each in (-1, 1)]
    ups = [up * (1 + each * up_tolerance) for each in (-1, 1)]
    levels = [low / (low + high) for low, high in product(ends, ups)]
    return min(levels), max(levels)


def permits(level: tuple[float, float], between: tuple[float, float]) -> bool | None:
    """Whether a level lies inside for sure (True), outside (False), or in doubt."""
    low, high = between
    if low + OFFSET < level[0] and level[1] < high - OFFSET:
        return True
    if level[1] < low - OFFSET or level[0] > high + OFFSET:
        return False
    return None


def faults(board: Board) -> Iterator[tuple[str, tuple[float, float], bool]]:
    """Each state of the wires, the level at its worst, and whether it may permit."""
    for loop in LOOPS.values():
        up, tolerance = pull_up(board, loop)
        yield f"{loop} closed", at_worst(up, tolerance, END_OHM), True
        yield f"{loop} cut or open", (1.0, 1.0), False
        yield f"{loop} shorted to ground or to its pair", (0.0, 0.0), False
        yield f"{loop} shorted to 3.3 V", (1.0, 1.0), False
    one, two = (pull_up(board, each) for each in LOOPS.values())
    both = one[0] * two[0] / (one[0] + two[0]) if one[0] < float("inf") else 0.0
    level = at_worst(both, max(one[1], two[1]), END_OHM)
    yield "the loops shorted to each other, one of them open", level, False


def cut_or_shorted(board: Board) -> list[str]:
    """Token and case line permit in their window alone, at the worst tolerances."""
    between = window(board)
    return [
        f"{says}: {level[0]:.3f} to {level[1]:.3f} of the supply, window "
        f"{between[0]:.3f} to {between[1]:.3f}"
        for says, level, may in faults(board)
        if permits(level, between) is not may
    ]
