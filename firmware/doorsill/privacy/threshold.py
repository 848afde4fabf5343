"""Attributes are merged until they are of k crossings; only then may the sum leave.

    slot         |---- 3 h ----|---- 3 h ----|---- 3 h ----|  same hours every day
    people read        4             3            31
    handed on    [_____________ 38 people ___________________]   one span
    end of day   what still has fewer than k is forgotten

Vision adds up and hands over a span when it is complete; the uplink puts the people
whom ``interval`` counts beside it. Why no sequence of reports, differenced, isolates
fewer than k crossings:

* The spans of a line are disjoint, begin and end at fixed hours and hold k crossings or
  more, so every sum or difference of reports speaks of whole spans.
* The end of a span shows only that k was reached.
* The number of people who came in is public minute by minute (``interval``), the
  number of those whose attributes were read is not. The others who came in are added to
  *unknown*, so a report covers exactly the people that ``interval`` counts in its span
  and the difference of the two is nobody.
* Nothing is ever published for a day as a whole, so what was suppressed cannot be
  found by subtracting.

Pure: no clock, no I/O; state in, state out. The state lives in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.cells import Age, Expression
from doorsill.errors import UntrustedError
from doorsill.privacy.floors import DAY_S, K_FLOOR, SLOT_S

Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Attributes of those who came in over one line, as far as they were read."""

    start: int  # UTC s
    end: int  # UTC s
    ages: Counts  # (len(Age),)
    expressions: Counts  # (len(Expression),)

    @property
    def people(self) -> int:
        """How many people the attributes stage read; the threshold is on these."""
        return sum(self.ages)


@dataclass(frozen=True, slots=True)
class Pending:
    """One line's span that is still growing, and the time up to which it was filled."""

    until: int = 0  # UTC s; no later window may begin before it
    span: Histogram | None = None  # whole slots


def least(k: int) -> int:
    """The threshold in force: ``k``, but never below the floor."""
    return max(k, K_FLOOR)


def add(
    pending: Pending, window: Histogram, k: int
) -> tuple[Pending, Histogram | None]:
    """Add the next closed ``window``; also give the span that it completes, if any.

    A span is complete when a window of a later slot comes and it holds k crossings. One
    that the end of its UTC day finds below k is forgotten. A window before what was
    already taken (a clock set back) is left out: spans stay disjoint.
    """
    if window.start < pending.until or window.end <= window.start:
        return pending, None
    finished = None
    span = pending.span
    if span is not None and window.start >= span.end:  # spans end where slots do
        if span.people >= least(k):
            finished, span = span, None
        elif _day(span.start) != _day(window.start):
            span = None
    begin = slot_of(window.start) * SLOT_S
    merged = _merge(begin if span is None else span.start, begin + SLOT_S, span, window)
    return Pending(window.end, merged), finished


def pad(span: Histogram, came_in: int, k: int) -> Histogram:
    """``span`` with everybody who came in and was not read under *unknown*.

    ``came_in`` is what ``interval`` counts in the span. Raises UntrustedError where
    fewer than k crossings were read, or more than came in.
    """
    if sum(span.expressions) != span.people:
        raise UntrustedError("ages and expressions are not of the same people")
    if not least(k) <= span.people <= came_in:
        raise UntrustedError(
            "looks are of fewer people than k, or of more than came in"
        )
    return Histogram(
        span.start,
        span.end,
        _fill_up(span.ages, Age.UNKNOWN, came_in),
        _fill_up(span.expressions, Expression.UNKNOWN, came_in),
    )


def slot_of(time: int) -> int:
    """The number of the slot that ``time`` (UTC s) is in."""
    return time // SLOT_S


def _merge(
    start: int, end: int, span: Histogram | None, window: Histogram
) -> Histogram:
    if span is None:
        return Histogram(start, end, window.ages, window.expressions)
    return Histogram(
        start,
        end,
        tuple(a + b for a, b in zip(span.ages, window.ages, strict=True)),
        tuple(a + b for a, b in zip(span.expressions, window.expressions, strict=True)),
    )


def _fill_up(counts: Counts, unknown: int, people: int) -> Counts:
    missing = people - sum(counts)
    return tuple(
        count + missing if index == unknown else count
        for index, count in enumerate(counts)
    )


def _day(time: int) -> int:
    return time // DAY_S
