"""How the rail gets its power, and how it loses it."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.meaning import ALWAYS, GROUND, LOOPS, PERMITS, RAIL
from interlock.netlist import Board, Placed

CHANNELS = (("S1", "D1", "G1"), ("S2", "D2", "G2"))  # of a part with two transistors


def switches(board: Board) -> list[Placed]:
    """The transistors that can power the rail."""
    return [each for each in board.of_kind("pfet") if each.net("D") == RAIL]


def channels(board: Board) -> Iterator[tuple[str, str, str]]:
    """Source, drain and gate of each N-transistor, as nets."""
    for each in board.of_kind("nfet-2"):
        for source, drain, gate in CHANNELS:
            yield each.net(source), each.net(drain), each.net(gate)


def ways_down(board: Board, net: str, been: frozenset[str]) -> Iterator[frozenset[str]]:
    """Each way from ``net`` to ground, as the gates that must all be high for it."""
    for ends in board.bridges():
        if net in ends.ends and ends.other(net) not in been:
            yield from _on(board, ends.other(net), been, frozenset())
    for source, drain, gate in channels(board):
        for here, there in ((drain, source), (source, drain)):
            if here == net and there not in been:
                yield from _on(board, there, been, frozenset((gate,)))


def _on(
    board: Board, net: str, been: frozenset[str], gates: frozenset[str]
) -> Iterator[frozenset[str]]:
    if net == GROUND:
        yield gates
    elif net != ALWAYS:
        for each in ways_down(board, net, been | {net}):
            yield gates | each


def three_must_agree(board: Board) -> list[str]:
    """No path powers the rail without token AND case AND watchdog."""
    found = [] if switches(board) else ["nothing can power the rail"]
    found += _other_sources(board)
    for switch in switches(board):
        gate = switch.net("G")
        for way in ways_down(board, gate, frozenset((gate,))):
            if missing := [each for each in PERMITS if each not in way]:
                found.append(f"{switch.ref} closes without {' and '.join(missing)}")
        found += [
            f"{joint} drives {gate} beside the three"
            for joint in board.nets()[gate]
            if joint.role in ("out", "drain", "tri")
        ]
    return found + [each for permit in PERMITS for each in _moved(board, permit)]


def _other_sources(board: Board) -> list[str]:
    """What else than the switch could give the rail power."""
    return [
        f"{joint} gives the rail power beside the switch"
        for joint in board.nets().get(RAIL, [])
        if joint.role in ("source", "out", "tri")
        or joint.placed.part.kind in ("header", "connector")
        or (joint.placed.part.kind == "pfet" and joint.pin == "S")
    ]


def _moved(board: Board, permit: str) -> list[str]:
    """Where a permit says something else than its loop, or than the watchdog."""
    drivers = [
        each
        for each in board.nets().get(permit, [])
        if each.role in ("out", "drain", "tri")
    ]
    if permit not in LOOPS:
        shots = [each for each in drivers if each.placed.part.kind == "one-shot"]
        return [] if shots and len(drivers) == 1 else [f"{permit} is no watchdog's"]
    if len(drivers) != 2 or any(each.role != "drain" for each in drivers):
        return [f"{permit} needs two open drains, above and below the window"]
    return [
        f"{each} does not read {LOOPS[permit]}"
        for each in drivers
        if LOOPS[permit]
        not in (each.placed.net(each.pin[0] + "+"), each.placed.net(each.pin[0] + "-"))
    ]


def discharges(board: Board) -> list[str]:
    """A transistor discharges the rail while the switch is open, and a resistor always.

    Its gate is the switch's own, and a resistor to the always-on supply holds it.
    """
    found = []
    bleeders = [
        each for each in board.bridges() if sorted(each.ends) == sorted((RAIL, GROUND))
    ]
    if not bleeders:
        found.append("no resistor discharges the rail when all else fails")
    behind = {each.other(RAIL) for each in board.bridges() if RAIL in each.ends}
    gates = {
        gate
        for source, drain, gate in channels(board)
        if drain in behind - {GROUND} and source == GROUND
    }
    for switch in switches(board):
        if switch.net("G") not in gates:
            found.append(f"nothing discharges the rail while {switch.ref} is open")
        found += _floats(board, switch)
    return found


def _floats(board: Board, switch: Placed) -> list[str]:
    gate = switch.net("G")
    held = any(sorted(each.ends) == sorted((gate, ALWAYS)) for each in board.bridges())
    return [] if held else [f"{gate} floats while nothing pulls it down"]
