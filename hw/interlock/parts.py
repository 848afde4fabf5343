"""The parts that a board may use, read strictly from ``parts.toml``.

A pin is written NAME:NUMBER:ROLE; a bare NAME is its own number, and passive.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interlock.errors import BoardError

CATALOGUE = Path(__file__).with_name("parts.toml")
ROLES = (
    "passive",  # a resistor's end, a contact, a transistor's channel
    "in",  # reads a level
    "out",  # drives both levels
    "drain",  # drives low alone
    "tri",  # drives both levels, or nothing
    "supply",  # takes power
    "source",  # gives power
    "ground",
    "open",  # joined to nothing inside
)
KINDS = (
    "header", "connector", "ldo", "comparator", "one-shot", "supervisor", "pfet",
    "nfet-2", "buffer", "sram", "eeprom", "led", "resistor-4", "resistor", "capacitor",
    "pad",
)  # fmt: skip
WORDS = ("kind", "maker", "number", "second", "package", "pins", "solder", "source")
NUMBERS = ("hottest_c", "volt_max")
MAY = {
    "value", "tolerance", "watts", "volt_min", "gate_max", "amps_max", "ioff", "price",
    "non_volatile", "figures", "note", "lifecycle", "one_source",
}  # fmt: skip
LIVE = ("active", "unverified")  # a part that may be designed in


@dataclass(frozen=True, slots=True)
class Pin:
    """One pin of a part."""

    name: str
    number: str
    role: str  # one of ROLES


@dataclass(frozen=True, slots=True)
class Part:
    """What one line of the bill of materials buys, and what it can bear."""

    name: str  # as board.net says it
    kind: str  # one of KINDS
    maker: str
    number: str  # the maker's
    second: str  # another maker's that fits, or ""
    package: str
    pins: tuple[Pin, ...]
    hottest_c: float  # at which it may work
    volt_max: float  # at any pin, or across it
    solder: str  # "hand" or "assembled"
    source: str  # where the figures were read
    value: float | None = None  # ohm or farad
    tolerance: float = 0.0  # of the value
    watts: float | None = None  # at most
    volt_min: float = 0.0  # of its supply
    gate_max: float | None = None  # V between gate and source
    amps_max: float | None = None
    ioff: bool = False  # without power it takes no current from its inputs and outputs
    non_volatile: bool = False
    price: tuple[float, float] | None = None  # bracket in euro at 100, unverified
    lifecycle: str = "unverified"
    one_source: str = ""  # the reason, where there is no second
    note: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)  # for its model

    def pin(self, name: str) -> Pin | None:
        """The pin of that name."""
        return next((each for each in self.pins if each.name == name), None)


def read_parts(text: str, place: str = CATALOGUE.name) -> dict[str, Part]:
    """The parts of ``text`` by name; raises BoardError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"{place}: {error}") from None
    return {name: _part(name, table, place) for name, table in tables.items()}


def _part(name: str, table: dict[str, Any], place: str) -> Part:
    known = {*WORDS, *NUMBERS, *MAY}
    for key in sorted(table.keys() - known):
        raise BoardError(f"{place}: [{name}] {key} is not known")
    for key in (*WORDS, *NUMBERS):
        if key not in table:
            raise BoardError(f"{place}: [{name}] has no {key}")
    if table["kind"] not in KINDS:
        raise BoardError(f"{place}: [{name}] kind = {table['kind']!r} is not known")
    pins = tuple(_pin(each, name, place) for each in table["pins"].split())
    price = tuple(table["price"]) if "price" in table else None
    return Part(**{**table, "name": name, "pins": pins, "price": price})


def _pin(text: str, name: str, place: str) -> Pin:
    words = text.split(":")
    if len(words) == 1:
        return Pin(text, text, "passive")
    if len(words) != 3 or words[2] not in ROLES:
        raise BoardError(f"{place}: [{name}] pin {text!r} must be NAME:NUMBER:ROLE")
    return Pin(*words)
