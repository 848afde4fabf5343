"""Windows ─► threshold ─► budget ─► noise ─► a row for the outbox.

The looks of an open span live here, in memory, and nowhere else; a restart forgets
them. :func:`consider` changes nothing: its answer becomes true when the outbox has
stored the report and its cost in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from doorsill.cells import LineCell, Quality
from doorsill.errors import UntrustedError
from doorsill.privacy import budget, noise, threshold
from doorsill.privacy.budget import Ledger
from doorsill.privacy.noise import Below
from doorsill.privacy.threshold import Looks, Pending
from doorsill.uplink.codec import encode
from doorsill.uplink.reports import Release
from doorsill.uplink.rows import Entry
from doorsill.uplink.wire import Attributes, age_cells, expression_cells

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the signed policy allows, already the stricter of it and the file."""

    attributes: bool
    k: int
    daily_micro: int  # millionths of epsilon
    lines: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Each line's open span."""

    pending: dict[int, Pending] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Considered:
    """What the desk would be, what would be told, and what it would cost."""

    desk: Desk
    reports: tuple[Entry, ...]
    ledger: Ledger | None  # None: nothing is spent


def consider(
    desk: Desk,
    cells: Iterable[LineCell],
    rules: Rules,
    ledger: Ledger,
    voice: tuple[Release, Below],
) -> Considered:
    """Take newly closed windows; nothing changes until the answer is stored."""
    if not rules.attributes:
        return Considered(desk, (), None)
    pending, reports, spent = dict(desk.pending), [], ledger
    for cell in cells:
        if Quality.CLOCK in cell.quality:
            continue  # its time is not to be trusted, and a span is about time
        before = pending.get(cell.line, Pending())
        pending[cell.line], span = threshold.add(before, _looks(cell), rules.k)
        if span is None:
            continue
        cost = budget.report_cost(rules.daily_micro, rules.lines)
        day = budget.day_of(span.start)
        after = budget.spend(spent, day, cost, rules.daily_micro)
        if after is None:
            log.info("attributes: the day's epsilon is spent, a span is left out")
            continue
        spent = after
        try:
            reports.append(_report(cell.line, span, rules.k, cost, voice))
        except UntrustedError as error:
            log.error("attributes: a span is left out: %s", error)
    return Considered(
        Desk(pending), tuple(reports), replace(spent) if reports else None
    )


def _looks(cell: LineCell) -> Looks:
    end = cell.start + cell.duration_s
    return Looks(cell.start, end, cell.count_in, cell.ages, cell.expressions)


def _report(
    line: int, span: Looks, k: int, cost: int, voice: tuple[Release, Below]
) -> Entry:
    release, below = voice
    scale = noise.scale_of(cost)
    message = Attributes(
        line=line,
        start=span.start,
        end=span.end,
        people=span.came_in,
        **age_cells(noise.with_noise(span.ages, scale, below)),
        **expression_cells(noise.with_noise(span.expressions, scale, below)),
        k=threshold.least(k),
        epsilon_micro=cost,
        is_historical=False,
        firmware=release.firmware,
        model=release.model,
        policy=release.policy,
    )
    return Entry(f"looks:{line}:{span.start}:{span.end}", "attributes", encode(message))
