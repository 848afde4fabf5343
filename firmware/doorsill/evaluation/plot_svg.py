"""Tracks as an SVG that explains itself: what a person needs to place a line.

      0 ───────────── 1
    0 ┌───────────────┐     The frame is the picture; 0 to 1 along its sides are what
      │   ──►  IN     │     `--line` takes. Below it is room for feet that the camera
      │   ◄- - OUT    │     does not see. Never a pixel of the video.
    1 └───────────────┘
        legend

Nothing is shown by colour alone: a path that went OUT is dashed, and each path ends in
an arrowhead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from html import escape

from doorsill.evaluation.plot import Point, TrackPlot

WIDTH = 860.0  # of the picture's frame at most; all lengths are units of the drawing
TALLEST = 1000.0  # height of the picture's frame at most
LEFT = 70.0  # margin left of the frame
TOP = 60.0  # margin above the frame
RIGHT = 60.0  # margin right of the frame: the arrow of a line at its edge fits in
LEAST_WIDTH = 830.0  # of the drawing: the legend takes as much
WORD_ROOM = 34.0  # from the middle of IN or OUT to the edge of the drawing, at least
WORD_NUDGE = 12.0  # how far a word may be moved towards its arrow
WORD_ASIDE = 52.0  # how far along the line a word goes that finds no room across it
BELOW = 0.15  # room for feet below the picture, share of the picture's height
LEGEND_ROW = 40.0  # height of a row of the legend
SMOOTH = 1.2  # a point that lies nearer to its neighbours' line is left out
ARROW_AT = 0.37  # share of a line's longest stretch: no number of the frame is there
PATHS_LIMIT = 400  # paths drawn at most; the file stays small for a day's recording
STYLE = """
:root{color-scheme:light dark}
text{font:28px system-ui,sans-serif;fill:#141414}
.ground{fill:#fff}.room{fill:#eef0f2}
.frame{fill:none;stroke:#60666d;stroke-width:2}.tick{stroke:#60666d;stroke-width:2}
.none{stroke:#8d939b;stroke-width:2}.in{stroke:#00796b;stroke-width:4}
.out{stroke:#c75c00;stroke-width:4;stroke-dasharray:14 7}
.path{fill:none;stroke-linejoin:round}
.path.in{marker-end:url(#in)}.path.out{marker-end:url(#out)}
.path.none{marker-end:url(#none)}
#in path{fill:#00796b}#out path{fill:#c75c00}#none path{fill:#8d939b}
.line{fill:none;stroke:#141414;stroke-width:5}.lead{marker-end:url(#lead)}
.name{paint-order:stroke;stroke:#fff;stroke-width:6;font-weight:600}
.side{paint-order:stroke;stroke:#fff;stroke-width:6}
#lead path{fill:#141414}
@media(prefers-color-scheme:dark){
text{fill:#f2f2f2}.ground{fill:#16181b}.room{fill:#25292e}
.frame,.tick{stroke:#a9b0b8}.none{stroke:#79818a}
.in{stroke:#4db6a6}.out{stroke:#ff9d3d}
#in path{fill:#4db6a6}#out path{fill:#ff9d3d}#none path{fill:#79818a}
.line{stroke:#f2f2f2}.name,.side{stroke:#16181b}#lead path{fill:#f2f2f2}}
"""
MARKERS = "".join(
    f'<marker id="{name}" viewBox="0 0 10 10" refX="7" refY="5" markerWidth="{size}" '
    f'markerHeight="{size}" orient="auto"><path d="M0 0 10 5 0 10z"/></marker>'
    for name, size in (("in", 4), ("out", 4), ("none", 6), ("lead", 4))
)
LEGEND = (
    ("path in", "went IN and was counted"),
    ("path out", "went OUT and was counted"),
    ("path none", "was seen and not counted"),
    ("line", "counting line; its arrow shows where IN leads"),
)


def draw_svg(
    plot: TrackPlot,
    lines: Sequence[Sequence[Point]],
    names: Sequence[str],
    aspect: float,
    title: str,
) -> str:
    """The drawing as text; ``aspect`` is width over height of the video.

    ``lines`` are points in 0..1 of the picture, ``names`` those of the lines.
    """
    width, height = _frame(aspect)
    below = TOP + height * (1 + BELOW)
    size = (_whole_width(width), below + LEGEND_ROW * (len(LEGEND) + 1.5))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:.0f} '
        f'{size[1]:.0f}" width="100%" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style><defs>{MARKERS}</defs>",
        f'<rect class="ground" width="{size[0]:.0f}" height="{size[1]:.0f}"/>',
        f'<rect class="room" x="{LEFT}" y="{TOP}" width="{width:.0f}" '
        f'height="{height * (1 + BELOW):.0f}"/>',
        f'<rect class="ground" x="{LEFT}" y="{TOP}" width="{width:.0f}" '
        f'height="{height:.0f}"/>',
        *_paths(plot, width, height),
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{width:.0f}" '
        f'height="{height:.0f}"/>',
        *_ticks(width, height),
    ]
    for line, name in zip(lines, names, strict=True):
        parts += _line(line, name, width, height)
    parts += _legend(below)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _frame(aspect: float) -> tuple[float, float]:
    width = min(WIDTH, TALLEST * aspect)
    return width, width / aspect


def _whole_width(width: float) -> float:
    return max(LEFT + width + RIGHT, LEAST_WIDTH)


def _paths(plot: TrackPlot, width: float, height: float) -> list[str]:
    """Each track, those that were counted on top and first to stay."""
    drawn: list[str] = []
    for path, direction in plot.paths()[-PATHS_LIMIT:]:
        points = simplify([(x * width, y * height) for x, y in path], SMOOTH)
        if len(points) < 2:
            continue
        kind = "none" if direction is None else direction.name.lower()
        inside = [(x, min(y, height * (1 + BELOW))) for x, y in points]
        text = " ".join(f"{LEFT + x:.0f},{TOP + y:.0f}" for x, y in inside)
        said = "seen, not counted" if direction is None else f"went {direction.name}"
        drawn.append(
            f'<polyline class="path {kind}" points="{text}">'
            f"<title>{said}</title></polyline>"
        )
    return drawn


def _ticks(width: float, height: float) -> list[str]:
    marks: list[str] = []
    for tenth in range(11):
        part, longer = tenth / 10, tenth % 5 == 0
        x, y, length = LEFT + part * width, TOP + part * height, 14 if longer else 7
        marks.append(
            f'<path class="tick" d="M{x:.0f} {TOP}v{-length}'
            f'M{LEFT} {y:.0f}h{-length}"/>'
        )
        if longer:
            marks.append(
                f'<text x="{x:.0f}" y="{TOP - 20}" text-anchor="middle">{part:g}</text>'
            )
            marks.append(
                f'<text x="{LEFT - 20}" y="{y + 10:.0f}" text-anchor="end">{part:g}'
                "</text>"
            )
    return marks


def _line(line: Sequence[Point], name: str, width: float, height: float) -> list[str]:
    """The line, its name, and an arrow across it with IN and OUT in words."""
    points = [(LEFT + x * width, TOP + y * height) for x, y in line]
    (x0, y0), (x1, y1) = max(
        itertools.pairwise(points), key=lambda pair: math.dist(*pair)
    )
    length = math.dist((x0, y0), (x1, y1))
    along = ((x1 - x0) / length, (y1 - y0) / length)
    right = (-along[1], along[0])  # y points down: the right-hand side
    middle = (x0 + (x1 - x0) * ARROW_AT, y0 + (y1 - y0) * ARROW_AT)
    text = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    tip = _move(middle, right, 46)
    return [
        f'<polyline class="line" points="{text}"/>',
        f'<path class="line lead" d="M{middle[0]:.0f} {middle[1]:.0f}'
        f'L{tip[0]:.0f} {tip[1]:.0f}"/>',
        _text("side", "IN", _word_at(middle, right, 80, width, height)),
        _text("side", "OUT", _word_at(middle, right, -44, width, height)),
        _text("name", name, _keep_inside(_move(points[0], along, 60), width, height)),
    ]


def _text(kind: str, text: str, at: Point) -> str:
    return (
        f'<text class="{kind}" x="{at[0]:.0f}" y="{at[1] + 10:.0f}" '
        f'text-anchor="middle">{escape(text)}</text>'
    )


def _move(point: Point, direction: Point, by: float) -> Point:
    return point[0] + direction[0] * by, point[1] + direction[1] * by


def _word_at(
    middle: Point, right: Point, by: float, width: float, height: float
) -> Point:
    """Where a word is on one side of a line: across it, or else inside and beside."""
    x, y = _move(middle, right, by)
    inside = (
        min(max(x, WORD_ROOM), _whole_width(width) - WORD_ROOM),
        min(max(y, WORD_ROOM / 2), TOP + height * (1 + BELOW) - WORD_ROOM / 2),
    )
    if math.dist(inside, (x, y)) < WORD_NUDGE:
        return inside
    back = (-right[1], right[0])  # to the line's start: away from the middle's number
    return _move(inside, back, WORD_ASIDE)


def _keep_inside(point: Point, width: float, height: float) -> Point:
    return (
        min(max(point[0], LEFT + 60), LEFT + width - 60),
        min(max(point[1], TOP + 30), TOP + height - 30),
    )


def _legend(top: float) -> list[str]:
    rows: list[str] = []
    for number, (kind, said) in enumerate(LEGEND):
        y = top + LEGEND_ROW * (number + 0.9)
        rows.append(
            f'<path class="{kind}" d="M{LEFT} {y:.0f}h70"/>'
            f'<text x="{LEFT + 92}" y="{y + 9:.0f}">{said}</text>'
        )
    y = top + LEGEND_ROW * (len(LEGEND) + 0.9)
    rows.append(
        f'<rect class="room" x="{LEFT}" y="{y - 16:.0f}" width="70" height="30"/>'
        f'<text x="{LEFT + 92}" y="{y + 9:.0f}">below the picture: feet not seen</text>'
    )
    return rows


def simplify(path: Sequence[Point], most: float) -> list[Point]:
    """``path`` without points that lie within ``most`` of what is left.

    Source: Douglas and Peucker 1973, without recursion.
    """
    keep = {0, len(path) - 1}
    open_parts = [(0, len(path) - 1)]
    while open_parts:
        start, end = open_parts.pop()
        far, at = most, -1
        for number in range(start + 1, end):
            if (away := _distance(path[number], path[start], path[end])) > far:
                far, at = away, number
        if at >= 0:
            keep.add(at)
            open_parts += [(start, at), (at, end)]
    return [path[number] for number in sorted(keep)]


def _distance(point: Point, start: Point, end: Point) -> float:
    """From ``point`` to the stretch between ``start`` and ``end``."""
    run, rise = end[0] - start[0], end[1] - start[1]
    squared = run * run + rise * rise
    if squared == 0:
        return math.dist(point, start)
    part = ((point[0] - start[0]) * run + (point[1] - start[1]) * rise) / squared
    part = min(1.0, max(0.0, part))
    return math.dist(point, (start[0] + part * run, start[1] + part * rise))
