"""Whether a span can be of the time that it names, by our own clock; pure.

A device keeps what it counted for KEPT_DAYS at most, so a window that is older when it
comes was made with a clock that is wrong, as is one of a time still to come. It is
kept all the same (nobody is lost) and says so in ``doubt``.
"""

from __future__ import annotations

from doorsill.privacy.floors import DAY_S

KEPT_DAYS = 101  # a device's outbox holds 100 days, and one more for zones and hours
AHEAD_S = 300  # by how much a clock may be ahead of ours
OLD, FUTURE = "old", "future"


def doubt_of(end: int, now: int) -> str:
    """``old``, ``future`` or nothing, for a span that ended at ``end`` (UTC s)."""
    if end > now + AHEAD_S:
        return FUTURE
    if end < now - KEPT_DAYS * DAY_S:
        return OLD
    return ""
