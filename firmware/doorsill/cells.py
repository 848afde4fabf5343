"""What leaves the vision process, window by window: small integers, nothing else.

The uplink imports this and no numpy; ``values`` has what stays inside vision.
``start`` is UTC seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


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
    FROZEN = 256  # the camera gives the same picture again and again
    FAULT = 512  # uplink's own: something was wrong, and ``health`` says what


class Picture(IntEnum):
    """What the camera gives, as coarsely as a technician needs it."""

    UNKNOWN = 0
    FRESH = 1  # a frame came within ``FRESH_S``
    OLD = 2  # the last one is older than that
    NONE = 3  # none has come for ``GONE_S``, or none ever came
    FROZEN = 4  # they come, and all are the same
    CLOSED = 5  # the shop is shut, and so is the camera


FRESH_S, GONE_S = 10.0, 600.0  # age of the last frame


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
    dropped: int = 0  # closed windows given up because no uplink came for days
    picture: int = Picture.UNKNOWN


Cell = LineCell | ZoneCell | HealthCell
