"""The schematic as a KiCad 9 file, made from the same sheet as the SVG.

Every symbol is embedded, so no library of KiCad's is needed. Each end of a pin carries
the global label of its net, and the wires are drawn as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid5

from interlock.drawing.sheet import Drawn, Sheet, Spot
from interlock.drawing.symbols import Point, Symbol, symbols
from interlock.meaning import FROM_PI, GROUND, RIBBON
from interlock.netlist import OPEN, Board, Placed
from interlock.parts import Part
from interlock.values import spell

GRID = 2.54  # millimetres of one unit
SPACE = UUID("6f1f4d0e-5e2b-4c53-9d0a-d00251110002")
VERSION = 20250114  # of the format of KiCad 9
TYPES = {
    "passive": "passive", "in": "input", "out": "output", "drain": "open_collector",
    "tri": "tri_state", "supply": "power_in", "source": "power_out",
    "ground": "power_in", "open": "no_connect",
}  # fmt: skip
INWARD = {"L": 0, "R": 180, "U": 270, "D": 90}  # from a pin's end to its body
TURN = {"L": 180, "R": 0, "U": 90, "D": 270}  # of a label that leaves that way
# What gives power from outside of the sheet: KiCad wants a flag on each.
FLAGS = (*FROM_PI, GROUND, "RAIL", RIBBON)
FONT = "(effects (font (size 1.27 1.27)))"
SMALL = "(effects (font (size 1 1)))"
HIDDEN = "(effects (font (size 1.27 1.27)) (hide yes))"


def draw(board: Board, sheet: Sheet) -> str:
    """The whole file."""
    names = {each.part.name: each for each in board.placed}
    body = [
        f'(kicad_sch (version {VERSION}) (generator "doorsill")',
        f'(uuid {_uuid("sheet")}) (paper "User" 425 310)',
        '(title_block (title "doorsill interlock: no card, no power"))',
        "(lib_symbols",
        *(_library(each) for each in names.values()),
        _flag_library(),
        ")",
        *(_wire(one, two) for one, two, _ in sheet.wires),
        *(_label(each) for each in sheet.spots if each.net != OPEN),
        *(_open(each) for each in sheet.spots if each.net == OPEN),
        *(_placed(each) for each in sheet.drawn),
        *_flags(),
        '(sheet_instances (path "/" (page "1")))',
        ")",
        "",
    ]
    return "\n".join(body)


def _uuid(*names: object) -> str:
    return f'"{uuid5(SPACE, "/".join(map(str, names)))}"'


def _mm(at: Point, down: int = 1) -> str:
    return f"{at[0] * GRID:.2f} {down * at[1] * GRID:.2f}"


def _library(placed: Placed) -> str:
    """A symbol of the library; there y runs up."""
    part = placed.part
    units = "\n".join(
        _unit(placed, number, each) for number, each in enumerate(symbols(placed), 1)
    )
    return (
        f'(symbol "{part.name}" (exclude_from_sim no) (in_bom yes) (on_board yes)\n'
        f"{_property('Reference', _letters(placed.ref), (0, 0))}\n"
        f"{_property('Value', part.name, (0, 0))}\n{units})"
    )


def _letters(ref: str) -> str:
    return ref.rstrip("0123456789")


def _unit(placed: Placed, number: int, symbol: Symbol) -> str:
    lines = [f'(symbol "{placed.part.name}_{number}_1"']
    stroke = "(stroke (width 0.15) (type default)) (fill (type none))"
    if symbol.box:
        left, top, right, bottom = symbol.box
        start, end = _mm((left, top), -1), _mm((right, bottom), -1)
        lines.append(f"(rectangle (start {start}) (end {end}) {stroke})")
    for line in symbol.lines:
        points = " ".join(f"(xy {_mm(each, -1)})" for each in line)
        lines.append(f"(polyline (pts {points}) {stroke})")
    for x, y, radius in symbol.circles:
        middle = _mm((x, y), -1)
        size = f"(radius {radius * GRID:.2f})"
        lines.append(f"(circle (center {middle}) {size} {stroke})")
    lines += [_pin(placed.part, each.pin, each.at, each.way) for each in symbol.ends]
    return "\n".join([*lines, ")"])


def _pin(part: Part, name: str, at: Point, way: str) -> str:
    pin = part.pin(name)
    kind = TYPES[pin.role] if pin else "passive"
    number = pin.number if pin else name
    return (
        f"(pin {kind} line (at {_mm(at, -1)} {INWARD[way]}) (length 0) "
        f'(name "{name}" {SMALL}) (number "{number}" {HIDDEN}))'
    )


def _flag_library() -> str:
    return (
        '(symbol "power-flag" (power) (exclude_from_sim no) (in_bom no) (on_board no)\n'
        f"{_property('Reference', '#FLG', (0, 0), True)}\n"
        f"{_property('Value', 'power-flag', (0, 0), True)}\n"
        '(symbol "power-flag_1_1" (pin power_out line (at 0 0 90) (length 0) '
        f'(name "pwr" {SMALL}) (number "1" {HIDDEN}))))'
    )


def _property(name: str, value: str, at: Point, hidden: bool = False) -> str:
    look = HIDDEN if hidden else FONT
    return f'(property "{name}" "{value}" (at {_mm(at)} 0) {look})'


def _wire(one: Point, two: Point) -> str:
    return (
        f"(wire (pts (xy {_mm(one)}) (xy {_mm(two)})) "
        f"(stroke (width 0) (type default)) (uuid {_uuid('wire', one, two)}))"
    )


def _label(spot: Spot) -> str:
    side = "right" if spot.end.way in "LD" else "left"
    return (
        f'(global_label "{spot.net}" (shape passive) '
        f"(at {_mm(spot.at)} {TURN[spot.end.way]}) "
        f"(effects (font (size 1 1)) (justify {side})) "
        f"(uuid {_uuid('label', spot.drawn.name, spot.end.pin)}))"
    )


def _open(spot: Spot) -> str:
    name = spot.drawn.name, spot.end.pin
    return f"(no_connect (at {_mm(spot.at)}) (uuid {_uuid('open', *name)}))"


def _placed(each: Drawn) -> str:
    part, ref, unit = each.placed.part, each.placed.ref, each.unit + 1
    x, y = each.at
    value = spell(part) or part.number
    path = f'(instances (project "interlock" (path "/{_uuid("sheet")[1:-1]}" '
    return "\n".join(
        [
            f'(symbol (lib_id "{part.name}") (at {_mm(each.at)} 0) (unit {unit})',
            "(exclude_from_sim no) (in_bom yes) (on_board yes) (dnp no)",
            f"(uuid {_uuid('symbol', each.name)})",
            _property("Reference", ref, (x + 1.4, y - 0.6)),
            _property("Value", value, (x + 1.4, y + 0.6)),
            _property("Footprint", "", each.at, True),
            _property("Maker", f"{part.maker} {part.number}", each.at, True),
            f'{path}(reference "{ref}") (unit {unit})))))',
        ]
    )


def _flags() -> Iterator[str]:
    """A flag for each net that is fed from outside, in a row below the drawing."""
    for number, net in enumerate(FLAGS):
        at = (112.0 + 9 * number, 104.0)
        path = f'(instances (project "interlock" (path "/{_uuid("sheet")[1:-1]}" '
        yield "\n".join(
            [
                f'(symbol (lib_id "power-flag") (at {_mm(at)} 0) (unit 1)',
                "(exclude_from_sim no) (in_bom no) (on_board no) (dnp no)",
                f"(uuid {_uuid('flag', net)})",
                _property("Reference", f"#FLG{number + 1}", at, True),
                _property("Value", "power-flag", at, True),
                f'{path}(reference "#FLG{number + 1}") (unit 1)))))',
            ]
        )
        yield (
            f'(global_label "{net}" (shape passive) (at {_mm(at)} 270) '
            "(effects (font (size 1 1)) (justify right)) "
            f"(uuid {_uuid('flagged', net)}))"
        )
