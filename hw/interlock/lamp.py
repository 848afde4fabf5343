"""Whether a person sees the power lamp, by calculation.

A lamp of I candela gives I / d² lux at d metres. A point of light is seen by day from
about 0.001 lux on (what IALA asks of a light at sea by day; from memory, unverified):
ten times as much is easily seen in a shop.
"""

from __future__ import annotations

from interlock.netlist import Board

LEAST_V = 3.3 * 0.95  # of the ribbon's supply
SEEN_LUX = 0.001
DISTANCE_M = 1.0
DIMMEST = 0.5  # of the typical light: spread, heat and years


def lux(board: Board, distance_m: float = DISTANCE_M) -> float:
    """Lux of the lamp at its worst, at a distance."""
    (led,) = board.of_kind("led")
    figures = led.part.figures
    (series,) = [each for each in board.bridges() if led.net("A") in each.ends]
    left = LEAST_V - figures["forward_v"] - figures["spread_v"]
    ampere = left / (series.ohm * (1 + series.placed.part.tolerance))
    return ampere * figures["candela_per_a"] * DIMMEST / distance_m**2


def words(board: Board) -> str:
    """The lamp in a sentence."""
    found = lux(board)
    times = found / SEEN_LUX
    return (
        f"{found:.3f} lux at {DISTANCE_M:g} m at its worst, {times:.0f} times what is "
        f"seen by day ({SEEN_LUX:g} lux)"
    )
