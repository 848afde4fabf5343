"""The schematic as an SVG that a person can read, made from the sheet alone."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from interlock.drawing.places import FRAMES
from interlock.drawing.sheet import Drawn, Sheet, Spot
from interlock.drawing.symbols import Point
from interlock.meaning import GROUND, RAIL, SUPPLIES
from interlock.netlist import OPEN, Board
from interlock.values import spell

UNIT = 10.0  # pixels
WIDE, TALL = 165, 119  # units of the sheet
INK, WIRE, NAME, GATED = "#1b1b1b", "#1f6f43", "#1d4e89", "#fdf0e6"
CUT = "#b3261e"  # of a pin that is left open
STYLE = (
    "text{font-family:DejaVu Sans,Verdana,sans-serif;font-size:9px;fill:#1b1b1b}"
    ".room{font-size:12px;font-weight:bold}.says{font-size:9px;fill:#555}"
    ".ref{font-size:9px;font-weight:bold}.net{font-size:8px;fill:#1d4e89}"
    ".pin{font-size:7.5px;fill:#555}"
)


def draw(board: Board, sheet: Sheet) -> str:
    """The whole drawing."""
    size = f'width="{WIDE * UNIT:g}" height="{TALL * UNIT:g}"'
    view = f'viewBox="0 0 {WIDE * UNIT:g} {TALL * UNIT:g}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>',
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        _text((2, 2.6), "doorsill interlock: no card, no power", "room"),
        *(_frame(room, says) for room, says in board.rooms.items()),
        *(_line((one, two), WIRE) for one, two, _ in sheet.wires),
        *(line for each in sheet.drawn for line in _symbol(each)),
        *(line for each in sheet.named for line in _name(each, sheet)),
        *_dots(sheet),
        *(line for each in sheet.spots if each.net == OPEN for line in _cross(each)),
        "</svg>",
        "",
    ]
    return "\n".join(body)


def _frame(room: str, says: str) -> str:
    left, top, right, bottom = (each * UNIT for each in FRAMES[room])
    fill = GATED if room == "gated" else "none"
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" '
        f'height="{bottom - top:g}" rx="6" fill="{fill}" stroke="#b8b8b8"/>'
        + _text((left / UNIT + 0.8, top / UNIT + 1.6), room, "room")
        + _text((left / UNIT + 2 + 0.85 * len(room), top / UNIT + 1.6), says, "says")
    )


def _symbol(each: Drawn) -> Iterator[str]:
    x, y = each.at
    if each.symbol.box:
        left, top, right, bottom = each.symbol.box
        yield (
            f'<rect x="{(x + left) * UNIT:g}" y="{(y + top) * UNIT:g}" '
            f'width="{(right - left) * UNIT:g}" height="{(bottom - top) * UNIT:g}" '
            f'fill="white" stroke="{INK}"/>'
        )
    for line in each.symbol.lines:
        yield _line(tuple((x + a, y + b) for a, b in line), INK)
    for a, b, radius in each.symbol.circles:
        yield (
            f'<circle cx="{(x + a) * UNIT:g}" cy="{(y + b) * UNIT:g}" '
            f'r="{radius * UNIT:g}" fill="white" stroke="{INK}"/>'
        )
    yield from _captions(each)
    for end in each.symbol.ends:
        if end.named:
            inward = 1.3 if end.way == "L" else -1.3
            anchor = "start" if end.way == "L" else "end"
            at = (x + end.at[0] + inward, y + end.at[1] + 0.3)
            yield _text(at, end.pin, "pin", anchor)


def _captions(each: Drawn) -> Iterator[str]:
    x, y = each.at
    part = each.placed.part
    if part.kind == "pad":
        yield _text((x - 1.3, y + 0.3), each.name, "ref", "end")
        return
    value = spell(part) if part.value else part.number
    box = each.symbol.box
    if box and box[2] > 2:
        yield _text((x + box[0], y + box[1] - 1.2), each.name, "ref")
        yield _text((x + box[0], y + box[1] - 0.3), value, "pin")
    elif part.kind in ("comparator", "buffer") and not box:
        whole = f"{each.name} {part.number}" if each.unit == 0 else each.name
        yield _text((x - 0.2, y - 1.6), whole, "ref")
    else:
        yield _text((x + 1.4, y - 0.1), each.name, "ref")
        if part.kind not in ("comparator", "buffer"):
            short = value if part.value else value.split("-")[0]
            yield _text((x + 1.4, y + 0.8), short, "pin")


def _name(spot: Spot, sheet: Sheet) -> Iterator[str]:
    x, y = spot.at
    if spot.net == GROUND:
        yield from _ground(spot)
        return
    if spot.net in SUPPLIES and spot.end.way == "U":
        yield _line(((x - 0.9, y), (x + 0.9, y)), NAME, 2)
        yield _text((x, y - 0.4), spot.net, "net", "middle")
        return
    bold = ' font-weight="bold"' if spot.net == RAIL else ""
    away = {"L": (-0.3, 0.3), "R": (0.3, 0.3), "U": (0.2, -0.3), "D": (0.2, 0.9)}
    right, down = away[spot.end.way]
    if spot.end.way in "LR" and any(spot.at in wire[:2] for wire in sheet.wires):
        down -= 0.7  # above its wire
    anchor = "end" if spot.end.way == "L" else "start"
    yield _text((x + right, y + down), spot.net, "net", anchor, bold)


def _ground(spot: Spot) -> Iterator[str]:
    x, y = spot.at
    if spot.end.way in "LR":
        side = -0.8 if spot.end.way == "L" else 0.8
        yield _line(((x, y), (x + side, y)), INK)
        x += side
    for step, half in enumerate((0.8, 0.5, 0.2)):
        low = y + 0.3 * step
        yield _line(((x - half, low), (x + half, low)), INK)


def _cross(spot: Spot) -> Iterator[str]:
    """A pin that is left open on purpose, as every drawing marks it."""
    x, y = spot.at
    for rise in (-0.35, 0.35):
        yield _line(((x - 0.35, y - rise), (x + 0.35, y + rise)), CUT)


def _dots(sheet: Sheet) -> Iterator[str]:
    """A dot where three or more wires and pins meet."""
    meets: dict[Point, int] = {}
    for one, two, _ in sheet.wires:
        for at in (one, two):
            meets[at] = meets.get(at, 0) + 1
    for at, count in meets.items():
        if count >= 2:
            x, y = at
            yield f'<circle cx="{x * UNIT:g}" cy="{y * UNIT:g}" r="2.2" fill="{WIRE}"/>'


def _line(points: tuple[Point, ...], colour: str, width: float = 1.1) -> str:
    path = " ".join(f"{x * UNIT:g},{y * UNIT:g}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="{width:g}"/>'
    )


def _text(
    at: Point, says: str, style: str, anchor: str = "start", more: str = ""
) -> str:
    return (
        f'<text x="{at[0] * UNIT:g}" y="{at[1] * UNIT:g}" class="{style}" '
        f'text-anchor="{anchor}"{more}>{escape(says)}</text>'
    )
