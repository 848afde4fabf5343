"""Tracks as lines on a blank ground: what a person needs to place a counting line.

Only feet are drawn, never a pixel of the video. Colours: a track that was counted IN is
teal, OUT orange, both are thick; one that was not counted is thin and grey. A dot marks
where a track ends. The counting line is black, with a short bar on its right-hand
side, the side that IN leads to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Crossing, Direction, Tracks

Canvas = NDArray[np.uint8]
Point = tuple[float, float]
GROUND = (255, 255, 255)  # R, G, B, as below
INK = (20, 20, 20)  # of the counting lines
GREY = (176, 180, 186)  # of a track that was not counted
COLOURS = {Direction.IN: (0, 137, 123), Direction.OUT: (230, 108, 0)}
LONG_SIDE = 960  # of the drawing, pixels
TRACK_LIMIT = 5_000  # tracks drawn at most: a recording may be days long
POINT_LIMIT = 2_000  # points kept of one track, at most


class TrackPlot:
    """Collects feet while a recording is counted and draws them at the end."""

    def __init__(self) -> None:
        self._paths: dict[int, list[Point]] = {}
        self._directions: dict[int, Direction] = {}

    def add(self, tracks: Tracks, crossings: Iterable[Crossing]) -> None:
        """Add the feet that were seen and how each track was counted.

        Where a track only coasts, nobody was seen and nothing is drawn.
        """
        for row in np.flatnonzero(tracks.confirmed & (tracks.detection >= 0)):
            identity = int(tracks.ids[row])
            if identity not in self._paths and len(self._paths) >= TRACK_LIMIT:
                continue
            path = self._paths.setdefault(identity, [])
            if len(path) < POINT_LIMIT:
                path.append((float(tracks.feet[row, 0]), float(tracks.feet[row, 1])))
        for crossing in crossings:
            if crossing.track in self._paths:
                self._directions[crossing.track] = crossing.direction

    def paths(self) -> list[tuple[list[Point], Direction | None]]:
        """Each track's feet and how it was counted; those that were counted last."""
        counted = self._directions.keys()
        return [
            (self._paths[identity], self._directions.get(identity))
            for identity in sorted(self._paths, key=lambda each: each in counted)
        ]

    def draw(self, lines: Sequence[Sequence[Point]], aspect: float) -> Canvas:
        """The picture, (h, w, 3); ``aspect`` is width over height of the video."""
        width = LONG_SIDE if aspect >= 1 else round(LONG_SIDE * aspect)
        height = round(LONG_SIDE / aspect) if aspect >= 1 else LONG_SIDE
        canvas = np.full((max(2, height), max(2, width), 3), GROUND, np.uint8)
        for path, direction in self.paths():
            colour = GREY if direction is None else COLOURS[direction]
            _polyline(canvas, path, colour, 1.0 if direction is None else 2.0)
            _dot(canvas, path[-1], colour, 4.0)
        for line in lines:
            _polyline(canvas, line, INK, 2.5)
            _right_hand_bar(canvas, line)
        return canvas


def _right_hand_bar(canvas: Canvas, line: Sequence[Point]) -> None:
    height, width = canvas.shape[:2]
    (x0, y0), (x1, y1) = line[0], line[1]
    along = ((x1 - x0) * width, (y1 - y0) * height)
    length = math.hypot(*along)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    bar = 0.04 * max(width, height) / length
    tip = (middle[0] - along[1] * bar / width, middle[1] + along[0] * bar / height)
    _polyline(canvas, (middle, tip), INK, 2.5)
    _dot(canvas, tip, INK, 5.0)


def _polyline(
    canvas: Canvas, path: Sequence[Point], colour: Sequence[int], radius: float
) -> None:
    height, width = canvas.shape[:2]
    for (x0, y0), (x1, y1) in itertools.pairwise(path):
        steps = 1 + int(2 * math.hypot((x1 - x0) * width, (y1 - y0) * height) / radius)
        for step in range(steps + 1):
            part = step / steps
            point = (x0 + (x1 - x0) * part, y0 + (y1 - y0) * part)
            _dot(canvas, point, colour, radius)


def _dot(canvas: Canvas, at: Point, colour: Sequence[int], radius: float) -> None:
    """A soft-edged disc; what lies outside the canvas is left out."""
    height, width = canvas.shape[:2]
    x, y = at[0] * (width - 1), at[1] * (height - 1)
    left, right = max(0, int(x - radius - 1)), min(width, int(x + radius + 2))
    top, bottom = max(0, int(y - radius - 1)), min(height, int(y + radius + 2))
    if left >= right or top >= bottom:
        return
    rows, columns = np.ogrid[top:bottom, left:right]
    cover = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)[..., None]
    patch = canvas[top:bottom, left:right]
    patch[:] = (patch * (1 - cover) + np.asarray(colour) * cover).astype(np.uint8)
