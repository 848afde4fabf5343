"""What leaves the vision process, piece by piece: small integers, nothing else.

The uplink imports this and no numpy; ``values`` has what stays inside vision.
``start`` is UTC seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

MINUTE_S = 60  # length of a minute
CROSSINGS_MOST = 600  # of one place in one minute, both ways together: 10 a second
PEOPLE_MOST = 100  # in one zone at once
STAY_MOST_S = 36_000  # of all who left one zone in one minute, summed


class Age(IntEnum):
    """Apparent age band. Two: four were told apart right in two of three only."""

    CHILD = 0
    ADULT = 1
    UNKNOWN = 2


class Expression(IntEnum):
    """Apparent gender expression."""

    FEMININE = 0
    MASCULINE = 1
    UNKNOWN = 2


class Quality(IntFlag):
    """Why a window may be worth less; 0 is good. A gap is always reported."""

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

    UNKNOWN = 0  # the process is so new that no frame is missing yet
    FRESH = 1  # a frame came within ``FRESH_S``
    OLD = 2  # the last frame is older than ``FRESH_S``
    NONE = 3  # no frame has come for ``GONE_S``, or none ever came
    FROZEN = 4  # frames come, and all are the same
    CLOSED = 5  # the shop is closed, and the camera is off


FRESH_S = 10.0  # greatest age of the last frame at which the picture is fresh
GONE_S = 600.0  # age of the last frame from which there is no picture


@dataclass(frozen=True, slots=True)
class LineCell:
    """One line in one piece of one minute: what was counted in that piece alone.

    A piece ends with its minute, where the process stops, or where the clock steps.
    """

    line: int  # index in the order of the policy
    start: int  # UTC s
    duration_s: int
    closed: bool  # False: not ended yet, sent so that a power cut loses nothing
    count_in: int
    count_out: int
    coverage_ms: int  # how long the camera really saw, of the piece
    quality: Quality


@dataclass(frozen=True, slots=True)
class ZoneCell:
    """One zone in one piece of one minute."""

    zone: int  # index in the order of the policy
    start: int  # UTC s
    duration_s: int
    closed: bool
    visits: int  # people who left the zone in this piece
    dwell_s: int  # how long those stayed, summed
    occupancy_max: int  # people at once, at most
    occupancy_mean_milli: int  # thousandths of a person
    coverage_ms: int  # how long the camera really saw, of the piece
    quality: Quality


@dataclass(frozen=True, slots=True)
class LooksCell:
    """Attributes of those who came IN over one line, summed up: k crossings or more.

    ``start`` and ``end`` are the fixed hours of ``privacy.floors.SLOT_S``. There is no
    smaller sum: what one person looked like stays in vision.
    """

    line: int  # index in the order of the policy
    start: int  # UTC s
    end: int  # UTC s
    ages: tuple[int, ...]  # (len(Age),) people
    expressions: tuple[int, ...]  # (len(Expression),) people


@dataclass(frozen=True, slots=True)
class HealthCell:
    """The health of the vision process, once a minute."""

    start: int  # UTC s
    frames: int  # since the last cell
    gated: int  # frames in which nothing moved, so nothing was inferred
    frame_rate_milli: int  # thousandths of a frame a second
    invoke_us: int  # of the network, median
    overhead_us: int  # of all but capture and invoke, median
    resident_kib: int  # memory of the process
    camera_restarts: int
    dropped: int = 0  # closed cells given up because no uplink came for days
    picture: int = Picture.UNKNOWN  # a value of ``Picture``


Cell = LineCell | ZoneCell | LooksCell | HealthCell
