"""What the board does to the Pi, and what software on the Pi can do to the board."""

from __future__ import annotations

from interlock.meaning import (
    ALWAYS,
    FROM_PI,
    GROUND,
    HEADER,
    PERMITS,
    PI_LOGIC,
    RAIL,
    RIBBON,
    SENSOR,
)  # fmt: skip
from interlock.netlist import Board, Joint

SINK_MARGIN = 0.3  # V on a permit that its comparator pulls down against a pin


def pins_of_the_pi(board: Board) -> list[str]:
    """The nets of the header that a program can drive or read."""
    return [
        net
        for net in dict.fromkeys(board[HEADER].nets.values())
        if net not in (*FROM_PI, GROUND)
    ]


def nothing_feeds_back(board: Board) -> list[str]:
    """Nothing of the board feeds a pin of the Pi whose own supply is off."""
    found = [
        f"{each.placed.ref} joins {net} with {each.other(net)}"
        for net in pins_of_the_pi(board)
        for each in board.bridges()
        if net in each.ends and each.other(net) in (ALWAYS, RAIL, "5V")
    ]
    for net in pins_of_the_pi(board):
        for joint in board.nets()[net]:
            supply = joint.placed.net("VCC")
            safe = supply == PI_LOGIC or (joint.placed.part.ioff and supply == RAIL)
            if joint.role in ("out", "tri") and not safe:
                found.append(f"{joint} drives {net} from {supply}")
    return found + _permits_held_up(board)


def _permits_held_up(board: Board) -> list[str]:
    """A permit reaches the Pi through a resistor, so what holds it up feeds the Pi."""
    return [
        f"{each.placed.ref} holds {permit} up from {each.other(permit)}, not {PI_LOGIC}"
        for permit in PERMITS
        for each in board.bridges()
        if permit in each.ends and each.other(permit) in (ALWAYS, RAIL, "5V")
    ]


def software_cannot_grant(board: Board) -> list[str]:
    """No pin of the Pi can make a permit; it can refuse one.

    A pin that reads a permit does it through a resistor, which its comparator wins.
    """
    found = []
    pins = pins_of_the_pi(board)
    for permit in (*PERMITS, "SWITCH_GATE", "TOKEN_LOOP", "CASE_LOOP"):
        if permit in pins:
            found.append(f"a pin of the Pi lies on {permit}")
    for permit in PERMITS:
        ohms = [each.ohm for each in board.bridges() if permit in each.ends]
        sinks = [
            each.placed.part.figures["sink_ohm"]
            for each in board.nets().get(permit, [])
            if each.role == "drain"
        ]
        if sinks and ohms:
            level = 3.46 * sinks[0] / (sinks[0] + 1 / sum(1 / each for each in ohms))
            if level > SINK_MARGIN:
                found.append(f"a pin of the Pi lifts {permit} to {level:.2f} V")
    return found


def lamp_in_series(board: Board) -> list[str]:
    """No lamp, no sensor: the lamp's current opens the sensor's supply; no pin does."""
    gates = [
        each
        for each in board.of_kind("pfet")
        if each.net("S") == RIBBON and each.net("D") == SENSOR
    ]
    found = [] if gates else ["the sensor's supply passes no transistor of the lamp"]
    lamps = {each.net("A") for each in board.of_kind("led") if each.net("K") == GROUND}
    for each in gates:
        if each.net("G") not in lamps:
            found.append(f"{each.ref} is not held by the lamp")
    for lamp in lamps:
        found += [
            f"{joint} could hold the lamp dark"
            for joint in board.nets()[lamp]
            if joint.placed.part.kind not in ("led", "pfet", "resistor", "pad")
        ]
    for net in (RIBBON, SENSOR):
        plugs = [j for j in board.nets().get(net, []) if _is_plug(j)]
        if len(plugs) != 1:
            found.append(f"{net} lies on {len(plugs)} plugs of the ribbon, not 1")
    beside = [
        f"{joint} gives the sensor power beside the lamp"
        for joint in board.nets().get(SENSOR, [])
        if joint.placed.part.kind not in ("pfet", "connector", "pad")
    ]
    return found + beside


def _is_plug(joint: Joint) -> bool:
    return joint.placed.part.kind == "connector"
