"""Windows are merged until they hold k people; only then may their looks be told.

    slot         |---- 3 h ----|---- 3 h ----|---- 3 h ----|  same hours every day
    looked at          4             3            31
    published    [_____________ 38 people ________________]   one span
    end of day   what still has fewer than k is forgotten

Why no sequence of reports, differenced, isolates fewer than k:

* The spans of a line are disjoint and each holds k people or more, so every sum or
  difference of reports speaks of whole spans.
* A span ends at a fixed hour only; when it ends tells nothing but "k was reached".
* The number of people who came in is public window by window (``interval``), the
  number looked at is not. Those who came in and were not looked at are added to
  *unknown*, so a report covers exactly the people that ``interval`` counts in its span
  and the difference of the two is nobody.
* Nothing is ever published for a day as a whole, so what was suppressed cannot be
  found by subtracting.

Pure: no clock, no I/O; state in, state out. The state lives in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.cells import Age, Expression
from doorsill.privacy.floors import DAY_S, K_FLOOR, SLOT_S

Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Looks:
    """What one closed window of one line says of those who came in."""

    start: int  # UTC s
    end: int  # UTC s
    came_in: int  # public
    ages: Counts  # (len(Age),)
    expressions: Counts  # (len(Expression),)

    @property
    def looked_at(self) -> int:
        """How many people the attributes stage looked at; the threshold is on these."""
        return sum(self.ages)


@dataclass(frozen=True, slots=True)
class Pending:
    """One line's span that is still growing, and how far time has been used up."""

    until: int = 0  # UTC s; no later span may begin before
    span: Looks | None = None


def least(k: int) -> int:
    """The threshold in force: ``k``, but never below the floor."""
    return max(k, K_FLOOR)


def add(pending: Pending, window: Looks, k: int) -> tuple[Pending, Looks | None]:
    """Take the next closed window; also give the span that it completes, if any.

    A span is complete when a window of a later slot comes and k people are in it. One
    that the end of its UTC day finds below k is forgotten. A window before what was
    already taken (a clock set back) is left out: spans stay disjoint.
    """
    if window.start < pending.until or window.end <= window.start:
        return pending, None
    finished = None
    span = pending.span
    if span is not None and _slot(span.end - 1) != _slot(window.start):
        if span.looked_at >= least(k):
            finished, span = _padded(span), None
        elif _day(span.start) != _day(window.start):
            span = None
    merged = window if span is None else _merge(span, window)
    return Pending(window.end, merged), finished


def _merge(span: Looks, window: Looks) -> Looks:
    return Looks(
        span.start,
        window.end,
        span.came_in + window.came_in,
        tuple(a + b for a, b in zip(span.ages, window.ages, strict=True)),
        tuple(a + b for a, b in zip(span.expressions, window.expressions, strict=True)),
    )


def _padded(span: Looks) -> Looks:
    """``span`` with everybody who came in and was not looked at under *unknown*."""
    return Looks(
        span.start,
        span.end,
        span.came_in,
        _pad(span.ages, Age.UNKNOWN, span.came_in),
        _pad(span.expressions, Expression.UNKNOWN, span.came_in),
    )


def _pad(counts: Counts, unknown: int, people: int) -> Counts:
    missing = max(0, people - sum(counts))
    return tuple(
        count + missing if index == unknown else count
        for index, count in enumerate(counts)
    )


def _slot(time: int) -> int:
    return time // SLOT_S


def _day(time: int) -> int:
    return time // DAY_S
