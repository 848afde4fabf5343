"""How long one edge of the watchdog lasts: not too short for the vault, nor too long.

The time of the one-shot is K x R x C, each within its tolerance. A process of Linux is
late now and then; a board that does not bridge that loses its memory for nothing.
"""

from __future__ import annotations

from interlock.meaning import ALIVE, LATE_MS, LOST_MS
from interlock.netlist import Board


def holds_ms(board: Board) -> tuple[float, float]:
    """For how long the permit lasts after an edge, at least and at most; 0 if never."""
    least = most = 0.0
    for shot in board.placed:
        if shot.part.kind != "one-shot" or shot.net("Q") != ALIVE:
            continue
        figures = shot.part.figures
        least = most = 1e3 * figures["k"]
        spreads = [figures["k_tolerance"]]
        for kind in ("resistor", "capacitor"):
            timing = [
                each.part
                for each in board.placed
                if each.part.kind == kind and shot.net("REXT") in each.nets.values()
            ]
            if len(timing) != 1 or timing[0].value is None:
                return 0.0, 0.0
            least, most = least * timing[0].value, most * timing[0].value
            spreads.append(timing[0].tolerance)
        for each in spreads:
            least, most = least * (1 - each), most * (1 + each)
    return least, most


def bridges_and_ends(board: Board) -> list[str]:
    """Each board bridges what the vault may be late, and ends in time after it."""
    least, most = holds_ms(board)
    if least >= LATE_MS and most <= LOST_MS:
        return []
    return [
        f"an edge of the watchdog lasts {least:.1f} to {most:.1f} ms; it must last "
        f"{LATE_MS:g} at least and {LOST_MS:g} at most"
    ]
