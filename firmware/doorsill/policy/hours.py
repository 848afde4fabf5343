"""Is the shop open now? Pure, from the policy's hours, its holidays and its time zone.

holiday with hours ─► these    without ─► closed    any other day ─► its weekday's
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from doorsill.policy.document import Policy, zone_of

DAY_MINUTES = 24 * 60  # of a day on the wall clock


def is_open(policy: Policy, utc: float) -> bool:
    """Whether the shop is open at ``utc`` (s); without hours it is always open.

    It uses the wall clock of the policy's time zone, with summer time. On a holiday its
    own hours count, or none. A night belongs to the day on which it began.
    """
    if not policy.keeps_hours:
        return True
    now = datetime.fromtimestamp(utc, zone_of(policy.timezone))
    minute, today = now.hour * 60 + now.minute, now.date()
    return _is_within(policy, today, minute) or _is_within(
        policy, today - timedelta(days=1), minute + DAY_MINUTES
    )


def _is_within(policy: Policy, day: date, minute: int) -> bool:
    """Whether ``minute``, counted from the begin of ``day``, is in that day's hours."""
    return any(
        opens <= minute < closes + (DAY_MINUTES if closes <= opens else 0)
        for opens, closes in _hours_of_day(policy, day)
    )


def _hours_of_day(policy: Policy, day: date) -> Iterator[tuple[int, int]]:
    for each in policy.holidays:
        if each.day == day:
            if each.opens is not None and each.closes is not None:
                yield each.opens, each.closes
            return
    if not policy.hours:
        yield 0, DAY_MINUTES
    for hours in policy.hours:
        if day.weekday() in hours.days:
            yield hours.opens, hours.closes
