"""Where the lines of a policy lie and which way is IN, drawn with letters.

+-----------------------------+
|             OUT             |     A line has a direction: a person who walks
|A----------------------------|     from its left to its right comes IN.
|             IN              |
+-----------------------------+
"""

from __future__ import annotations

import itertools
import math

from doorsill.policy.document import Line, Point, Policy

COLUMNS, ROWS = 64, 18  # of the drawing, in letters
WIDE, HIGH = 16.0, 9.0  # the picture, in units of length
BESIDE = 1.3  # from a line to its words, in units of length
# The eight ways in the picture, in steps of 45 degrees.
WAYS = (
    "to the right",
    "down and to the right",
    "downwards",
    "down and to the left",
    "to the left",
    "up and to the left",
    "upwards",
    "up and to the right",
)


def sketch(policy: Policy) -> str:
    """The picture with zones (a, b ...) and lines (A, B ...), 20 rows of 66 letters."""
    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    for number, zone in enumerate(policy.zones):
        mark = "x" if zone.kind == "exclude" else "."
        for a, b in itertools.pairwise((*zone.polygon, zone.polygon[0])):
            _stroke(grid, a, b, mark)
        middle = [
            sum(each) / len(zone.polygon) for each in zip(*zone.polygon, strict=True)
        ]
        _write(grid, (middle[0], middle[1]), letter(number, "a"))
    for line in policy.lines:
        for a, b in itertools.pairwise(line.points):
            _stroke(grid, a, b, _mark(a, b))
    for number, line in enumerate(policy.lines):
        _write(grid, beside(line, -BESIDE), "OUT")
        _write(grid, beside(line, BESIDE), "IN")
        _write(grid, line.points[0], letter(number, "A"))
    edge = "+" + "-" * COLUMNS + "+"
    return "\n".join([edge, *("|" + "".join(row) + "|" for row in grid), edge])


def letter(number: int, first: str) -> str:
    """The name of the nth line or zone in the drawing."""
    return chr(ord(first) + number)


def way_in(line: Line) -> str:
    """Which way in the picture a person walks who comes IN, in words."""
    x, y = _normal(*_longest(line))
    return WAYS[round(math.atan2(y, x) / (math.pi / 4)) % 8]


def beside(line: Line, distance: float) -> Point:
    """The point ``distance`` to the right of the middle of the longest stretch."""
    a, b = _longest(line)
    x, y = _normal(a, b)
    return (
        (a[0] + b[0]) / 2 + x * distance / WIDE,
        (a[1] + b[1]) / 2 + y * distance / HIGH,
    )


def _longest(line: Line) -> tuple[Point, Point]:
    return max(itertools.pairwise(line.points), key=lambda ab: math.dist(*ab))


def _normal(a: Point, b: Point) -> Point:
    """The vector of length 1 to the right of the way from ``a`` to ``b``; y is down."""
    x, y = (b[0] - a[0]) * WIDE, (b[1] - a[1]) * HIGH
    length = math.hypot(x, y) or 1.0
    return -y / length, x / length


def _mark(a: Point, b: Point) -> str:
    x, y = (b[0] - a[0]) * COLUMNS, (b[1] - a[1]) * ROWS
    if abs(x) > 2 * abs(y):
        return "-"
    if abs(y) > 2 * abs(x):
        return "|"
    return "\\" if x * y > 0 else "/"


def _stroke(grid: list[list[str]], a: Point, b: Point, mark: str) -> None:
    steps = 2 * (COLUMNS + ROWS)
    for step in range(steps + 1):
        part = step / steps
        _write(grid, (a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part), mark)


def _write(grid: list[list[str]], at: Point, text: str) -> None:
    """Write ``text`` with its middle at a point, moved to lie in the picture."""
    row = min(max(int(at[1] * ROWS), 0), ROWS - 1)
    left = round(at[0] * COLUMNS - len(text) / 2)
    left = min(max(left, 0), COLUMNS - len(text))
    grid[row][left : left + len(text)] = text
