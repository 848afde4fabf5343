"""The bill of materials and the connector map, as tables."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.errors import BoardError
from interlock.meaning import HEADER
from interlock.netlist import Board
from interlock.parts import Part
from interlock.values import spell

# BCM numbers of the header's pins that a board may use (Raspberry Pi's own pinout).
GPIO = {
    "3": 2, "5": 3, "7": 4, "8": 14, "10": 15, "11": 17, "12": 18, "13": 27, "15": 22,
    "16": 23, "18": 24, "19": 10, "21": 9, "22": 25, "23": 11, "24": 8, "26": 7,
    "27": 0, "28": 1, "29": 5, "31": 6, "32": 12, "33": 13, "35": 19, "36": 16,
    "37": 26, "38": 20, "40": 21,
}  # fmt: skip
PRICED = "bracket for 100 boards, from memory: unverified"


@dataclass(frozen=True, slots=True)
class Line:
    """One line to buy."""

    part: Part
    refs: tuple[str, ...]


def bill(board: Board) -> list[Line]:
    """What is bought for one board, in the order of the netlist."""
    found: dict[str, Line] = {}
    for each in board.placed:
        if each.part.kind != "pad":
            before = found.get(each.part.name, Line(each.part, ()))
            found[each.part.name] = Line(each.part, (*before.refs, each.ref))
    return list(found.values())


def count(board: Board) -> int:
    """How many parts are soldered."""
    return sum(len(each.refs) for each in bill(board))


def cost(board: Board) -> tuple[float, float]:
    """The bracket in euro of the parts of one board, unverified."""
    low = high = 0.0
    for each in bill(board):
        if each.part.price:
            low += each.part.price[0] * len(each.refs)
            high += each.part.price[1] * len(each.refs)
    return low, high


def bill_table(board: Board) -> str:
    """The bill as a Markdown table."""
    rows = [
        "| refs | n | part | second source | package | solder | EUR each | lifecycle | "
        "figures from |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for each in bill(board):
        part = each.part
        price = (
            f"{part.price[0]:g} to {part.price[1]:g}" if part.price else "unverified"
        )
        value = f" ({spell(part)})" if part.value else ""
        rows.append(
            f"| {' '.join(each.refs)} | {len(each.refs)} | {part.maker} {part.number}"
            f"{value} | {part.second or part.one_source} | {part.package} | "
            f"{part.solder} | {price} | {part.lifecycle} | {part.source} |"
        )
    low, high = cost(board)
    total = (
        f"{count(board)} parts, {len(bill(board))} lines; {low:.2f} to {high:.2f} EUR"
    )
    return "\n".join([*rows, "", f"{total} ({PRICED})", ""])


def connector_table(board: Board) -> str:
    """Every connector's pins: what they carry, and the Pi's name for them."""
    rows = ["| connector | pin | net | Pi |", "|---|---|---|---|"]
    for each in board.of_kind("header", "connector"):
        for pin, net in each.nets.items():
            name = f"GPIO{GPIO[pin]}" if each.ref == HEADER and pin in GPIO else ""
            rows.append(f"| {each.ref} | {pin} | {net} | {name} |")
    return "\n".join([*rows, ""])


def gpio(board: Board, net: str) -> int:
    """The BCM number of the header's pin on a net; BoardError where there is none."""
    pins = {carried: pin for pin, carried in board[HEADER].nets.items()}
    if pins.get(net) not in GPIO:
        raise BoardError(f"{net} lies on no GPIO of the header")
    return GPIO[pins[net]]
