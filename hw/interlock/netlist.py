"""The board as values: who is placed, and which pin lies on which net.

Read strictly from ``board.net``; a fault is named with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from interlock.errors import BoardError
from interlock.parts import CATALOGUE, Part, read_parts

BOARD = Path(__file__).with_name("board.net")
OPEN = "-"  # a pin that is left open on purpose
LINE = re.compile(r"(?P<ref>[A-Z]+[0-9]+)\s+(?P<part>\S+)\s+(?P<pins>\S.*)")
ROOM = re.compile(r"\[(?P<name>[a-z]+)\]\s+(?P<says>\S.*)")
NET = re.compile(r"[0-9A-Z_]+|-")


@dataclass(frozen=True, slots=True)
class Placed:
    """One part on the board."""

    ref: str
    part: Part
    room: str  # of the schematic
    nets: Mapping[str, str]  # net by the pin's name; every pin that is not open

    def net(self, pin: str) -> str:
        """The net of a pin; OPEN where it lies on none."""
        return self.nets.get(pin, OPEN)


@dataclass(frozen=True, slots=True)
class Joint:
    """One end of a net: a pin of a placed part."""

    placed: Placed
    pin: str

    @property
    def role(self) -> str:
        """What the pin does, of parts.ROLES."""
        found = self.placed.part.pin(self.pin)
        return found.role if found else "open"

    def __str__(self) -> str:
        return f"{self.placed.ref}.{self.pin}"


@dataclass(frozen=True, slots=True)
class Bridge:
    """Two nets that a passive joins: a resistor, or one of four in an array."""

    placed: Placed
    ends: tuple[str, str]
    ohm: float

    def other(self, net: str) -> str:
        """Where it leads to from ``net``."""
        return self.ends[1] if self.ends[0] == net else self.ends[0]


@dataclass(frozen=True, slots=True)
class Board:
    """All that is placed, in the order of the file."""

    placed: tuple[Placed, ...]
    rooms: Mapping[str, str]  # what each says

    def __getitem__(self, ref: str) -> Placed:
        for each in self.placed:
            if each.ref == ref:
                return each
        raise BoardError(f"there is no {ref} on the board")

    def rewired(self, ref: str, pin: str, net: str) -> Board:
        """The same board with one pin on another net."""
        old = self[ref]
        new = replace(old, nets={**old.nets, pin: net})
        placed = tuple(new if each is old else each for each in self.placed)
        return replace(self, placed=placed)

    def of_kind(self, *kinds: str) -> list[Placed]:
        """The placed parts of these kinds."""
        return [each for each in self.placed if each.part.kind in kinds]

    def nets(self) -> dict[str, list[Joint]]:
        """Every net with its ends, in the order of the file."""
        found: dict[str, list[Joint]] = {}
        for placed in self.placed:
            for pin, net in placed.nets.items():
                found.setdefault(net, []).append(Joint(placed, pin))
        return found

    def bridges(self) -> list[Bridge]:
        """Every resistor, those of arrays one by one."""
        return [
            Bridge(placed, (placed.net(a), placed.net(b)), placed.part.value or 0.0)
            for placed in self.of_kind("resistor", "resistor-4")
            for a, b in pairs(placed.part)
            if OPEN not in (placed.net(a), placed.net(b))
        ]


def pairs(part: Part) -> Iterator[tuple[str, str]]:
    """The pins of each resistor in a part, as pairs."""
    names = [each.name for each in part.pins]
    return zip(names[::2], names[1::2], strict=True)


def read_board(text: str, parts: Mapping[str, Part], place: str = BOARD.name) -> Board:
    """The board that ``text`` describes; raises BoardError with the line."""
    placed: dict[str, Placed] = {}
    rooms: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{place}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if room := ROOM.fullmatch(line.strip()):
            rooms[room["name"]] = room["says"]
            continue
        each = _placed(line.strip(), parts, next(reversed(rooms), ""), where)
        if each.ref in placed:
            raise BoardError(f"{where}: {each.ref} is placed twice")
        placed[each.ref] = each
    return Board(tuple(placed.values()), rooms)


def load_board(board: Path = BOARD, parts: Path = CATALOGUE) -> Board:
    """The board in the files; raises BoardError."""
    try:
        return read_board(
            board.read_text("utf-8"), read_parts(parts.read_text("utf-8"))
        )
    except OSError as error:
        raise BoardError(f"{error.filename}: {error.strerror}") from None


def _placed(line: str, parts: Mapping[str, Part], room: str, where: str) -> Placed:
    found = LINE.fullmatch(line)
    if not found:
        raise BoardError(f"{where}: must be REF PART PIN=NET ..., not {line!r}")
    part = parts.get(found["part"])
    if part is None:
        raise BoardError(
            f"{where}: {found['ref']} is a {found['part']}, which parts.toml lacks"
        )
    nets: dict[str, str] = {}
    for word in found["pins"].split():
        pin, _, net = word.rpartition("=")
        _require_pin(part, pin, net, f"{where}: {found['ref']}")
        if pin in nets:
            raise BoardError(f"{where}: {found['ref']}.{pin} is connected twice")
        nets[pin] = net
    _require_all(part, nets, f"{where}: {found['ref']}")
    joined = {pin: net for pin, net in nets.items() if net != OPEN}
    return Placed(found["ref"], part, room, joined)


def _require_pin(part: Part, pin: str, net: str, where: str) -> None:
    if part.pin(pin) is None:
        raise BoardError(f"{where} has no pin {pin!r}; {part.name} has others")
    if not NET.fullmatch(net):
        raise BoardError(f"{where}.{pin} = {net!r} is no net: A-Z, 0-9 and _")


def _require_all(part: Part, nets: Mapping[str, str], where: str) -> None:
    """Every pin is said; of a header those that the board uses."""
    if part.kind == "header":
        return
    if missing := [each.name for each in part.pins if each.name not in nets]:
        raise BoardError(
            f"{where} leaves {', '.join(missing)} unsaid; - leaves it open"
        )
