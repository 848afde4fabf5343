"""What crosses the border of the gated domain, and what stands inside of it."""

from __future__ import annotations

from interlock.meaning import GROUND, RAIL
from interlock.netlist import Board, Placed


def inside(board: Board) -> list[Placed]:
    """The parts that the rail supplies."""
    return [
        each
        for each in board.placed
        if any(
            net == RAIL and (pin := each.part.pin(name)) and pin.role == "supply"
            for name, net in each.nets.items()
        )
    ]


def lines_pass_a_buffer(board: Board) -> list[str]:
    """Every line into the gated domain passes a part with Ioff that the rail supplies.

    An ESD diode of any other part would feed the rail from a line that is high.
    """
    gated = inside(board)
    found = []
    for net, joints in board.nets().items():
        within = [each for each in joints if each.placed in gated]
        without = [
            each
            for each in joints
            if each.placed not in gated and each.placed.part.kind != "pad"
        ]
        if net in (GROUND, RAIL) or not within or not without:
            continue
        found += [
            f"{each} meets {net} outside of the gated domain without Ioff"
            for each in within
            if not each.placed.part.ioff
        ]
    return found + [
        f"{each.placed.ref} joins {' and '.join(each.ends)} past the switch"
        for each in board.bridges()
        if RAIL in each.ends and _leads_out(board, each.other(RAIL))
    ]


def _leads_out(board: Board, net: str) -> bool:
    """Whether a net behind a resistor at the rail leads anywhere but down."""
    if net == GROUND:
        return False
    joints = board.nets()[net]
    return not any(each.placed.part.kind == "nfet-2" for each in joints)


def no_memory_that_keeps(board: Board) -> list[str]:
    """No non-volatile memory stands in the gated domain."""
    return [
        f"{each.ref} ({each.part.number}) keeps its content without power"
        for each in inside(board)
        if each.part.non_volatile
    ]
