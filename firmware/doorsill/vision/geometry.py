"""Lines, polygons, boxes on the picture, in picture heights: a circle is round.

    from_fractions(x, y) = (x * aspect, y)        x to the right, y down

A directed line has a left and a right. With y down, who looks along the line from
p0 to p1 has the right where the cross product is positive::

            p1
             ^
      left   |   right          IN  = left to right
             |                  OUT = right to left
            p0
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1


def from_fractions(points: Sequence[Point], aspect: float) -> tuple[Point, ...]:
    """Points in 0..1 as points in picture heights."""
    return tuple((float(x) * aspect, float(y)) for x, y in points)


def crossings(line: Sequence[Point], start: Point, end: Point) -> int:
    """How often the step from start to end goes over ``line``: left to right is +1.

    A poly-line has ends: a step around them is no crossing. The joints belong to
    exactly one of their two segments, so a step through a joint counts once.
    """
    (ax, ay), (bx, by) = start, end
    dx, dy = bx - ax, by - ay
    total = 0
    px, py = line[0]
    p_side = dx * (py - ay) - dy * (px - ax) > 0
    for qx, qy in line[1:]:
        q_side = dx * (qy - ay) - dy * (qx - ax) > 0
        if p_side != q_side:
            sx, sy = qx - px, qy - py
            from_right = sx * (ay - py) - sy * (ax - px) > 0
            to_right = sx * (by - py) - sy * (bx - px) > 0
            total += to_right - from_right
        px, py, p_side = qx, qy, q_side
    return total


def inside(polygon: Sequence[Point], point: Point) -> bool:
    """Whether ``point`` lies in ``polygon`` (even-odd rule)."""
    x, y = point
    hit = False
    px, py = polygon[-1]
    for qx, qy in polygon:
        if (py > y) != (qy > y) and x < (qx - px) * (y - py) / (qy - py) + px:
            hit = not hit
        px, py = qx, qy
    return hit


def touches_edge(
    box: tuple[float, float, float, float], aspect: float, margin: float
) -> bool:
    """Whether ``box``, x0, y0, x1, y1 in 0..1, is within ``margin`` of the edge.

    ``aspect`` is the picture's width over its height, ``margin`` in picture heights.
    """
    x0, y0, x1, y1 = box
    return min(x0 * aspect, y0, (1.0 - x1) * aspect, 1.0 - y1) < margin


class Segments:
    """All segments of several poly-lines, for the distances of a point to each line.

    A door has a line or two and a few people: sums in plain Python cost less than
    numpy's calls.
    """

    def __init__(self, lines: Sequence[Sequence[Point]]) -> None:
        self._lines = [
            [_segment(*ends) for ends in itertools.pairwise(line)] for line in lines
        ]

    def distances(self, x: float, y: float) -> list[float]:
        """Squared distance of a point to each line; all in picture heights."""
        return [
            min([_squared(segment, x, y) for segment in line]) for line in self._lines
        ]


Segment = tuple[float, float, float, float, float]  # start, step, 1 / length squared


def _segment(start: Point, end: Point) -> Segment:
    step_x, step_y = end[0] - start[0], end[1] - start[1]
    return *start, step_x, step_y, 1.0 / (step_x * step_x + step_y * step_y)


def _squared(segment: Segment, x: float, y: float) -> float:
    start_x, start_y, step_x, step_y, per = segment
    x -= start_x
    y -= start_y
    along = (x * step_x + y * step_y) * per
    along = 0.0 if along < 0.0 else min(along, 1.0)
    x -= along * step_x
    y -= along * step_y
    return x * x + y * y


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes in the same units."""
    if one[2] <= other[0] or other[2] <= one[0]:  # side by side, as most people are
        return 0.0
    if one[3] <= other[1] or other[3] <= one[1]:
        return 0.0
    both = min(one[2], other[2]) - max(one[0], other[0])
    both *= min(one[3], other[3]) - max(one[1], other[1])
    area = (one[2] - one[0]) * (one[3] - one[1])
    area += (other[2] - other[0]) * (other[3] - other[1])
    return both / (area - both)
