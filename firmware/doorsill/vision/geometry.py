"""Lines and polygons on the picture, in picture heights so that a circle is round.

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

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Array = NDArray[np.float64]


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


class Segments:
    """All segments of several poly-lines side by side, for distances in one go."""

    def __init__(self, lines: Sequence[Sequence[Point]]) -> None:
        pairs = [pair for line in lines for pair in itertools.pairwise(line)]
        ends = np.array(pairs, np.float64).reshape(-1, 2, 2)
        self._start, self._step = ends[:, 0].T.copy(), (ends[:, 1] - ends[:, 0]).T
        self._per_length = self._step / (self._step**2).sum(0)
        lengths = [len(line) - 1 for line in lines]
        self._first = np.cumsum([0, *lengths[:-1]])
        self._single = all(length == 1 for length in lengths)

    def distances(self, x: Array, y: Array) -> Array:
        """Squared distance of n points to each of L lines: (n, L)."""
        off_x = x[:, None] - self._start[0]
        off_y = y[:, None] - self._start[1]
        along = off_x * self._per_length[0] + off_y * self._per_length[1]
        along = np.minimum(np.maximum(along, 0.0), 1.0)
        off_x -= along * self._step[0]
        off_y -= along * self._step[1]
        squared: Array = off_x * off_x + off_y * off_y
        if self._single:
            return squared
        nearest: Array = np.minimum.reduceat(squared, self._first, axis=1)
        return nearest
