"""What leaves the vision process, piece by piece: small integers, nothing else.

The uplink imports this and no numpy; ``values`` has what stays inside vision.
``start`` is UTC seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

MINUTE_S = 60
CROSSINGS_MOST = 600  # of one place in one minute, both ways together: 10 a second
PEOPLE_MOST = 100  # in one zone at once
STAY_MOST_S = 36_000  # of all who left one zone in one minute, summed


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
    """One line in one piece of one minute: what was counted in it, no sum of before.

    A piece ends with its minute, where the process stops, or where the clock steps.
    """

    line: int
    start: int  # UTC s
    duration_s: int
    closed: bool  # False: so far, sent so that a power cut loses nothing
    count_in: int
    count_out: int
    coverage_ms: int  # of the piece, how long the camera really looked
    quality: Quality


@dataclass(frozen=True, slots=True)
class ZoneCell:
    """One zone in one piece of one minute."""

    zone: int
    start: int  # UTC s
    duration_s: int
    closed: bool
    visits: int  # people who left the zone in this piece
    dwell_s: int  # how long those stayed, summed
    occupancy_max: int
    occupancy_mean_milli: int
    coverage_ms: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class LooksCell:
    """Apparent looks of k crossings or more who came IN over one line, summed up.

    ``start`` and ``end`` are the fixed hours of ``privacy.floors.SLOT_S``. There is no
    smaller sum: what one person looked like stays in vision.
    """

    line: int
    start: int  # UTC s
    end: int  # UTC s
    ages: tuple[int, ...]
    expressions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HealthCell:
    """How the vision process fares, once a minute."""

    start: int  # UTC s
    frames: int
    gated: int  # frames in which nothing moved, so nothing was inferred
    frame_rate_milli: int
    invoke_us: int  # median
    overhead_us: int  # median, all but capture and invoke
    resident_kib: int
    camera_restarts: int
    dropped: int = 0  # closed cells given up because no uplink came for days
    picture: int = Picture.UNKNOWN


Cell = LineCell | ZoneCell | LooksCell | HealthCell
