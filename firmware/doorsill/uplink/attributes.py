"""A sum of looks ─► threshold ─► budget ─► noise ─► a row for the outbox.

The sum comes from vision at the end of a span of k crossings or more. Here it is only
an argument; no disk holds it. :func:`consider` changes nothing: its answer takes effect
when the outbox has stored the report and its cost in one transaction.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from doorsill.cells import LooksCell
from doorsill.privacy import budget, noise, threshold
from doorsill.privacy.budget import Ledger
from doorsill.privacy.noise import Below
from doorsill.privacy.threshold import Histogram
from doorsill.uplink.pieces import Places
from doorsill.uplink.reports import Release
from doorsill.uplink.rows import Entry
from doorsill.wire.codec import encode
from doorsill.wire.messages import Attributes, age_cells, expression_cells

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AttributeRules:
    """What may be reported: the stricter of the signed policy and the file."""

    attributes: bool  # whether looks are reported at all
    k: int  # crossings: least number in a report
    daily_micro: int  # privacy budget a day, in millionths of epsilon
    places: Places


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What a report needs besides the sum: what runs here, and a source of noise."""

    release: Release
    below: Below  # draws a whole number below its argument at random


@dataclass(frozen=True, slots=True)
class Considered:
    """The report that would go out, if any, and the ledger after its cost."""

    report: Entry | None
    ledger: Ledger


def consider(
    cell: LooksCell,
    came_in: int,
    rules: AttributeRules,
    ledger: Ledger,
    context: ReportContext,
) -> Considered:
    """Make a report of the looks of a span; ``came_in`` is what ``interval`` counts.

    Raises UntrustedError if the looks are of fewer than k crossings, or of more people
    than came in.
    """
    if not rules.attributes:
        return Considered(None, ledger)
    looks = Histogram(cell.start, cell.end, cell.ages, cell.expressions)
    span = threshold.pad(looks, came_in, rules.k)
    cost = budget.report_cost(rules.daily_micro, rules.places.lines)
    day = budget.day_of(span.start)
    after = budget.spend(ledger, day, cost, rules.daily_micro)
    if after is None:
        log.info("attributes: the day's epsilon is spent, a span is left out")
        return Considered(None, ledger)
    return Considered(_report(cell.line, span, came_in, rules.k, cost, context), after)


def _report(
    line: int,
    span: Histogram,
    came_in: int,
    k: int,
    cost: int,
    context: ReportContext,
) -> Entry:
    release, below = context.release, context.below
    scale = noise.scale_of(cost)
    message = Attributes(
        line=line,
        start=span.start,
        end=span.end,
        people=came_in,
        **age_cells(noise.add_noise(span.ages, scale, below)),
        **expression_cells(noise.add_noise(span.expressions, scale, below)),
        k=threshold.least(k),
        epsilon_micro=cost,
        is_historical=False,
        firmware=release.firmware,
        model=release.model,
        policy=release.policy,
    )
    return Entry(f"looks:{line}:{span.start}:{span.end}", "attributes", encode(message))
