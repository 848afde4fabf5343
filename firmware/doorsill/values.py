"""The values that flow from photon to broker, in flow order.

Coordinates are fractions of the picture: x to the right, y down, both 0..1.
``time`` is seconds of a monotonic clock; ``start`` is UTC seconds since 1970.
Arrays lie side by side: row i of each array speaks of the same person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

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
    time: float
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
    """What the detector saw in one frame; empty arrays when it saw nobody."""

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
    """Everybody being followed after one frame; ids are random and die with the track.

    ``detection`` is the row of :class:`Detections` that updated the track in this
    frame, or -1 where the track coasts. ``confirmed`` tracks alone may be counted.
    """

    ids: Ids  # (n,) random, never reused, never leaves the process
    boxes: Boxes  # (n, 4)
    feet: Points  # (n, 2)
    detection: NDArray[np.intp]  # (n,) row in Detections, or -1
    confirmed: NDArray[np.bool_]  # (n,)
    ended: tuple[int, ...] = ()  # ids that ended in this frame, no longer in ``ids``


class Direction(IntEnum):
    """Seen along the directed line: IN goes from its left to its right."""

    IN = 0
    OUT = 1


@dataclass(frozen=True, slots=True)
class Crossing:
    """One person went over one line; lives in the vision process only."""

    line: int  # index in the order of the policy
    direction: Direction
    time: float  # when the line was crossed, not when it was decided
    track: int


class Age(IntEnum):
    """Apparent age band."""

    CHILD = 0
    YOUNG_ADULT = 1
    ADULT = 2
    OLDER = 3
    UNKNOWN = 4


class Expression(IntEnum):
    """Apparent gender expression."""

    FEMININE = 0
    MASCULINE = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Attributes:
    """What one track looked like over its frames, coarse, or unknown."""

    age: Age = Age.UNKNOWN
    expression: Expression = Expression.UNKNOWN


class Quality(IntFlag):
    """Why a window may be worth less; 0 is good. A gap is never papered over."""

    GOOD = 0
    COVERED = 1
    DARK = 2
    BRIGHT = 4
    MOVED = 8
    LOW_FRAME_RATE = 16
    CLOCK = 32
    GAP = 64  # the camera or the process was away for a part of the window
    CLOSED = 128  # outside the policy's opening hours


@dataclass(frozen=True, slots=True)
class LineCell:
    """One line in one window: what vision tells uplink, all small integers.

    ``ages`` and ``expressions`` count people who went IN and were looked at; all zero
    where the policy does not allow attributes.
    """

    epoch: int  # random 32 bits, new whenever the totals start from nought
    line: int
    start: int  # UTC s
    duration_s: int
    closed: bool  # False: a running window, sent so that a power cut loses nothing
    count_in: int
    count_out: int
    total_in: int  # since the epoch began, this window included
    total_out: int
    coverage_ms: int  # of the window, how long the camera really looked
    quality: Quality
    ages: tuple[int, ...] = (0,) * len(Age)
    expressions: tuple[int, ...] = (0,) * len(Expression)


@dataclass(frozen=True, slots=True)
class ZoneCell:
    """One zone in one window."""

    epoch: int
    zone: int
    start: int  # UTC s
    duration_s: int
    closed: bool
    visits: int  # people who left the zone in this window
    dwell_s: int  # how long those stayed, summed
    occupancy_max: int
    occupancy_mean_milli: int
    coverage_ms: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class HealthCell:
    """How the vision process fares, once a window."""

    epoch: int
    start: int  # UTC s
    frames: int
    gated: int  # frames in which nothing moved, so nothing was inferred
    frame_rate_milli: int
    invoke_us: int  # median
    overhead_us: int  # median, all but capture and invoke
    resident_kib: int
    camera_restarts: int


Cell = LineCell | ZoneCell | HealthCell
