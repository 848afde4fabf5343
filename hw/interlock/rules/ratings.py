"""Every part within what it can bear, at 85 °C and the highest supply."""

from __future__ import annotations

from interlock.meaning import FROM_PI, GROUND, HIGHEST_V, LOGIC_V, SUPPLIES
from interlock.netlist import OPEN, Board, Placed

HOTTEST_C = 85.0
CAPACITOR_SHARE = 0.66  # of its rated voltage, as a ceramic one loses capacity
RESISTOR_SHARE = 0.5  # of its rated power


def volts(net: str) -> float:
    """V at most between a net and ground."""
    return 0.0 if net in (GROUND, OPEN) else HIGHEST_V.get(net, LOGIC_V)


def within_ratings(board: Board) -> list[str]:
    """Temperature, voltage, power: each part bears the worst of the board."""
    found = []
    for each in board.placed:
        part = each.part
        if part.hottest_c < HOTTEST_C:
            found.append(f"{each.ref} works to {part.hottest_c:g} °C, not 85")
        most = max((volts(net) for net in each.nets.values()), default=0.0)
        share = CAPACITOR_SHARE if part.kind == "capacitor" else 1.0
        if most > part.volt_max * share:
            found.append(
                f"{each.ref} bears {part.volt_max * share:.1f} V, not {most:.2f}"
            )
        if part.gate_max is not None and most > part.gate_max:
            found.append(f"{each.ref} bears {part.gate_max:g} V at its gate")
        if part.volt_min > _least(each):
            found.append(f"{each.ref} needs {part.volt_min:g} V")
    return found + _hot_resistors(board)


def _least(placed: Placed) -> float:
    """V of the part's supply at the least, while the supervisor lets it work."""
    return 4.75 if placed.net("VCC") == "5V" else 2.86


def _hot_resistors(board: Board) -> list[str]:
    found = []
    for each in board.bridges():
        watts = max(map(volts, each.ends)) ** 2 / each.ohm
        most = (each.placed.part.watts or 0.0) * RESISTOR_SHARE
        if watts > most:
            found.append(
                f"{each.placed.ref} takes {watts * 1e3:.0f} mW, more than "
                f"{most * 1e3:.0f}"
            )
    return found


def joined(board: Board) -> list[str]:
    """Every net has two ends and one driver; every input is driven; supplies supply."""
    found = []
    for net, joints in board.nets().items():
        if len(joints) < 2:
            found.append(f"{net} ends at {joints[0]}")
        driving = [each for each in joints if each.role in ("out", "source")]
        if len(driving) > 1:
            found.append(f"{' and '.join(map(str, driving))} both drive {net}")
        found += [
            f"{each} is supplied by {net}"
            for each in joints
            if (each.role == "supply" and net not in SUPPLIES)
            or (each.role == "ground" and net != GROUND)
        ]
        if all(each.role in ("in", "supply") for each in joints) and net not in FROM_PI:
            found.append(f"nothing drives {net}")
    return found
