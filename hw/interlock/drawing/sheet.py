"""The board laid out: symbols in their places, wires between pins that face each other.

What no wire joins carries the name of its net, so that the drawing is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from interlock.drawing.places import FRAMES, PLACES
from interlock.drawing.symbols import End, Point, Symbol, symbols
from interlock.errors import BoardError
from interlock.meaning import GROUND, SUPPLIES
from interlock.netlist import OPEN, Board, Placed

LONGEST = 22.0  # of a wire, in units


@dataclass(frozen=True, slots=True)
class Drawn:
    """One symbol in its place."""

    placed: Placed
    unit: int
    symbol: Symbol
    at: Point

    @property
    def name(self) -> str:
        """``U2B`` for the second of several units."""
        many = len(symbols(self.placed)) > 1
        return self.placed.ref + ("ABCDEFGH"[self.unit] if many else "")


@dataclass(frozen=True, slots=True)
class Spot:
    """The end of a pin on the sheet."""

    drawn: Drawn
    end: End
    at: Point
    net: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is drawn."""

    drawn: tuple[Drawn, ...]
    spots: tuple[Spot, ...]
    wires: tuple[tuple[Point, Point, str], ...]  # with the net
    named: tuple[Spot, ...]  # those at which the net's name stands


def lay_out(board: Board, places: Mapping[tuple[str, int], Point] = PLACES) -> Sheet:
    """Place every symbol; raises BoardError where one has no place."""
    drawn = tuple(_drawn(board, places))
    spots = tuple(_spots(drawn))
    wires = tuple(dict.fromkeys(_wires(spots)))  # where pins meet, one is enough
    return Sheet(drawn, spots, wires, tuple(_named(spots, wires)))


def _drawn(board: Board, places: Mapping[tuple[str, int], Point]) -> Iterator[Drawn]:
    for placed in board.placed:
        for unit, symbol in enumerate(symbols(placed)):
            if (placed.ref, unit) not in places:
                raise BoardError(f"drawing/places.py has no place for {placed.ref}")
            yield Drawn(placed, unit, symbol, places[placed.ref, unit])


def _spots(drawn: tuple[Drawn, ...]) -> Iterator[Spot]:
    for each in drawn:
        for end in each.symbol.ends:
            at = (each.at[0] + end.at[0], each.at[1] + end.at[1])
            yield Spot(each, end, at, each.placed.net(end.pin))


def _wires(spots: tuple[Spot, ...]) -> Iterator[tuple[Point, Point, str]]:
    for one, two in combinations(spots, 2):
        if one.net != two.net or one.net in (OPEN, GROUND, *SUPPLIES):
            continue
        if room_at(one.at) == room_at(two.at) and _clear(one, two, spots):
            yield one.at, two.at, one.net


def room_at(at: Point) -> str:
    """The room whose frame holds a point; "" between them."""
    for room, (left, top, right, bottom) in FRAMES.items():
        if left <= at[0] <= right and top <= at[1] <= bottom:
            return room
    return ""


def _clear(one: Spot, two: Spot, spots: tuple[Spot, ...]) -> bool:
    """Whether a straight line joins them and meets no other pin."""
    straight = one.at[0] == two.at[0] or one.at[1] == two.at[1]
    length = abs(one.at[0] - two.at[0]) + abs(one.at[1] - two.at[1])
    if not straight or length > LONGEST or _inward(one, two) or _inward(two, one):
        return False
    return not any(
        _between(each.at, one.at, two.at) for each in spots if each not in (one, two)
    )


def _inward(one: Spot, two: Spot) -> bool:
    """Whether the line would run back through the symbol of ``one``."""
    right, down = two.at[0] - one.at[0], two.at[1] - one.at[1]
    return {"L": right > 0, "R": right < 0, "U": down > 0, "D": down < 0}[one.end.way]


def _between(at: Point, one: Point, two: Point) -> bool:
    (x, y), (x1, y1), (x2, y2) = at, one, two
    on_line = (x1 == x2 == x) or (y1 == y2 == y)
    inside = min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2)
    return on_line and inside and at not in (one, two)


def _named(
    spots: tuple[Spot, ...], wires: tuple[tuple[Point, Point, str], ...]
) -> Iterator[Spot]:
    """One spot of each group that wires join, the others need no name."""
    group = {each.at: each.at for each in spots}

    def root(at: Point) -> Point:
        while group[at] != at:
            at = group[at]
        return at

    for one, two, _ in wires:
        group[root(one)] = root(two)
    seen: set[Point] = set()
    for each in sorted(spots, key=lambda spot: spot.end.way not in "LR"):
        if each.net != OPEN and root(each.at) not in seen:
            seen.add(root(each.at))
            yield each
