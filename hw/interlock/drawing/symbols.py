"""Symbols by kind of part: what is drawn, and where each pin ends.

One unit is a tenth of an inch, x to the right, y down. A part of several equal
pieces is several symbols, as a person draws it.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.netlist import Placed

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class End:
    """Where a pin ends, and which way a wire leaves it: "L", "R", "U" or "D"."""

    pin: str
    at: Point
    way: str
    named: bool = False  # whether its name stands beside it, in the box


@dataclass(frozen=True, slots=True)
class Symbol:
    """One drawn piece of a part, around its own middle."""

    ends: tuple[End, ...]
    lines: tuple[tuple[Point, ...], ...]
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom
    circles: tuple[tuple[float, float, float], ...] = ()


def symbols(placed: Placed) -> list[Symbol]:
    """The symbols of a part, in the order of its units."""
    kind = placed.part.kind
    if kind in ("resistor", "resistor-4"):
        names = [each.name for each in placed.part.pins]
        return [_resistor(a, b) for a, b in zip(names[::2], names[1::2], strict=True)]
    if kind == "nfet-2":
        return [_fet(unit, False) for unit in "12"]
    simple = {"capacitor": _capacitor, "led": _led, "pad": _pad}
    if kind in simple:
        return [simple[kind]()]
    if kind == "pfet":
        return [_fet("", True)]
    if kind == "comparator":
        return [*(_triangle(f"{n}+", f"{n}-", f"{n}OUT") for n in "1234"), _power()]
    if kind == "buffer":
        return [*(_gate(f"{n}A", f"{n}OE", f"{n}Y") for n in "1234"), _power()]
    return [_box(placed)]


def _resistor(one: str, two: str) -> Symbol:
    ends = (End(one, (0, -2), "U"), End(two, (0, 2), "D"))
    return Symbol(ends, (((0, -2), (0, -1)), ((0, 1), (0, 2))), (-0.4, -1, 0.4, 1))


def _capacitor() -> Symbol:
    ends = (End("1", (0, -2), "U"), End("2", (0, 2), "D"))
    plates = (((-0.8, -0.25), (0.8, -0.25)), ((-0.8, 0.25), (0.8, 0.25)))
    return Symbol(ends, (((0, -2), (0, -0.25)), ((0, 0.25), (0, 2)), *plates))


def _led() -> Symbol:
    ends = (End("A", (0, -2), "U"), End("K", (0, 2), "D"))
    lines = (
        ((0, -2), (0, -0.6)), ((0, 0.6), (0, 2)),
        ((-0.7, -0.6), (0.7, -0.6), (0, 0.6), (-0.7, -0.6)), ((-0.7, 0.6), (0.7, 0.6)),
        ((-0.9, -0.3), (-1.6, -1)), ((-1.1, 0.3), (-1.8, -0.4)),
    )  # fmt: skip
    return Symbol(ends, lines)


def _pad() -> Symbol:
    return Symbol((End("1", (0, 0), "R"),), (), None, ((-0.5, 0, 0.45),))


def _fet(unit: str, upside_down: bool) -> Symbol:
    """Drain above and source below; of a P-transistor the other way round."""
    top, bottom = ("S", "D") if upside_down else ("D", "S")
    ends = (
        End("G" + unit, (-2, 0), "L"),
        End(top + unit, (1, -2), "U"),
        End(bottom + unit, (1, 2), "D"),
    )
    lines = (
        ((-2, 0), (-0.3 if not upside_down else -0.7, 0)), ((-0.3, -1), (-0.3, 1)),
        ((0.1, -1.2), (0.1, -0.4)), ((0.1, -0.3), (0.1, 0.3)), ((0.1, 0.4), (0.1, 1.2)),
        ((0.1, -0.8), (1, -0.8), (1, -2)), ((0.1, 0.8), (1, 0.8), (1, 2)),
    )  # fmt: skip
    circles = ((-0.5, 0, 0.2),) if upside_down else ()
    return Symbol(ends, lines, None, circles)


def _triangle(plus: str, minus: str, out: str) -> Symbol:
    ends = (
        End(plus, (-3, -1), "L"), End(minus, (-3, 1), "L"), End(out, (3, 0), "R"),
    )  # fmt: skip
    lines = (
        ((-2, -2), (2, 0), (-2, 2), (-2, -2)), ((-3, -1), (-2, -1)), ((-3, 1), (-2, 1)),
        ((2, 0), (3, 0)), ((-1.7, -1), (-1.2, -1)), ((-1.45, -1.25), (-1.45, -0.75)),
        ((-1.7, 1), (-1.2, 1)),
    )  # fmt: skip
    return Symbol(ends, lines)


def _gate(into: str, enable: str, out: str) -> Symbol:
    ends = (
        End(into, (-3, 0), "L"), End(enable, (0, 2), "D"), End(out, (3, 0), "R"),
    )  # fmt: skip
    lines = (
        ((-1.5, -1.5), (1.5, 0), (-1.5, 1.5), (-1.5, -1.5)), ((-3, 0), (-1.5, 0)),
        ((1.5, 0), (3, 0)), ((0, 2), (0, 1.2)),
    )  # fmt: skip
    return Symbol(ends, lines, None, ((0, 0.98, 0.22),))


def _power() -> Symbol:
    ends = (End("VCC", (0, -2), "U"), End("GND", (0, 2), "D"))
    return Symbol(ends, (((0, -2), (0, -1)), ((0, 1), (0, 2))), (-0.8, -1, 0.8, 1))


def _box(placed: Placed) -> Symbol:
    """A box with its inputs on the left and its outputs on the right."""
    left, right = _sides(placed)
    wide = 4.0 if placed.part.kind in ("header", "connector") else 5.0
    tall = max(len(left), len(right)) * 2 - 1.0
    top = -(tall - 1) / 2
    top = float(int(top))
    ends = [End(pin, (-wide - 1, top + 2 * n), "L", True) for n, pin in enumerate(left)]
    ends += [
        End(pin, (wide + 1, top + 2 * n), "R", True) for n, pin in enumerate(right)
    ]
    lines = tuple(
        (each.at, (each.at[0] + (1 if each.way == "L" else -1), each.at[1]))
        for each in ends
    )
    return Symbol(tuple(ends), lines, (-wide, top - 1.5, wide, top + tall + 0.5))


def _sides(placed: Placed) -> tuple[list[str], list[str]]:
    pins = [each for each in placed.part.pins if each.name in placed.nets]
    if placed.part.kind == "header":
        return [], [each.name for each in pins]
    if placed.part.kind == "connector":
        return [], [each.name for each in pins]
    right = [e.name for e in pins if e.role in ("out", "tri", "source", "drain")]
    right += [e.name for e in pins if e.role == "ground" or e.role == "passive"]
    return [e.name for e in pins if e.name not in right], right
