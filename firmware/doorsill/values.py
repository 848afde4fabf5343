"""The values that flow from photon to broker, in flow order.

Coordinates are fractions of the picture: x to the right, y down, both 0..1.
``time`` is seconds of a monotonic clock; ``start`` is UTC seconds since 1970.
Arrays lie side by side: row i of each array is of the same person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from doorsill.cells import (
    Age,
    Cell,
    Expression,
    HealthCell,
    LineCell,
    LooksCell,
    Quality,
    ZoneCell,
)

__all__ = [
    "Age",
    "Attributes",
    "Boxes",
    "Cell",
    "Crossing",
    "Detections",
    "Direction",
    "Expression",
    "Frame",
    "HealthCell",
    "Ids",
    "LineCell",
    "LooksCell",
    "Pixels",
    "Points",
    "Quality",
    "Scores",
    "Tracks",
    "ZoneCell",
]

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]
Points = NDArray[np.float32]
Scores = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Frame:
    """One picture in the camera's own buffer; it cannot leave this process.

    ``pixels`` is a view, valid until :meth:`release`: (height, width, 3) uint8 in
    R, G, B order, at a size that fits into the model's input with the aspect ratio of
    the source kept.
    """

    pixels: Pixels
    time: float  # monotonic s
    on_release: Callable[[], None] | None = field(default=None)

    def release(self) -> None:
        """Give the buffer back to the camera; ``pixels`` is invalid from then on."""
        if self.on_release is not None:
            self.on_release()

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"<Frame {width}x{height}, pixels withheld>"

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a Frame cannot be copied, pickled, dumped or sent")

    __reduce__ = __reduce_ex__ = __copy__ = __deepcopy__ = __bytes__ = _refuse
    __getstate__ = __iter__ = __array__ = __buffer__ = _refuse


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What the detector found in one frame; empty arrays when it found nobody."""

    boxes: Boxes  # (n, 4) whole person as x0, y0, x1, y1
    scores: Scores  # (n,) 0..1
    heads: Boxes  # (n, 4) head as x0, y0, x1, y1
    feet: Points  # (n, 2) where the person touches the floor, as x, y

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Detections:
        """Nobody: what a frame without people, or a gated frame, gives."""
        four, two = np.empty((0, 4), np.float32), np.empty((0, 2), np.float32)
        return cls(four, np.empty(0, np.float32), four, two)


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Everybody who is followed after one frame; an id is random and never used again.

    ``detection`` is the row of :class:`Detections` that updated the track in this
    frame, or -1 where the track coasts. ``confirmed`` tracks alone may be counted.
    """

    ids: Ids  # (n,) random, never reused, never leaves the process
    boxes: Boxes  # (n, 4)
    feet: Points  # (n, 2)
    detection: NDArray[np.intp]  # (n,) row in Detections, or -1
    confirmed: NDArray[np.bool_]  # (n,)
    ended: tuple[int, ...] = ()  # ids that ended in this frame, no longer in ``ids``
    left: tuple[int, ...] = ()  # those of ``ended`` who walked out of the picture
    # Of those of ``ended`` that were a second track of somebody: that person's other.
    merged: tuple[tuple[int, int], ...] = ()


class Direction(IntEnum):
    """Which way, along the directed line: IN goes from its left to its right."""

    IN = 0
    OUT = 1


@dataclass(frozen=True, slots=True)
class Crossing:
    """One person went over one line; lives in the vision process only."""

    line: int  # index in the order of the policy
    direction: Direction
    time: float  # monotonic s when the line was crossed, not when it was decided
    track: int  # the track's random id


@dataclass(frozen=True, slots=True)
class Attributes:
    """What one person looked like over several frames, coarsely, or unknown."""

    age: Age = Age.UNKNOWN
    expression: Expression = Expression.UNKNOWN
