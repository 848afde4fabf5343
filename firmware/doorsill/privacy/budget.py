"""The epsilon budget of one device and day: spend it, or be refused.

Whole millionths of epsilon, so that adding up never rounds. A day is a UTC day by
number. The ledger only ever moves forward: a clock set back finds the day it left,
with what was spent, and refills nothing. A ledger that is new (the first one, or the
one after a lost or damaged file) spends nothing before the device ran for a whole day,
by any clock: so no loss of a file gives back what was spent.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.privacy.floors import (
    CROSSINGS_OF_ONE,
    DAY_S,
    EPSILON_CEILING_PER_DAY,
    REPORTS_PER_DAY,
)
from doorsill.privacy.noise import MICRO

CEILING_MICRO = int(EPSILON_CEILING_PER_DAY * MICRO)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What has been spent on ``day``; stored in the same transaction as the report."""

    day: int  # UTC days since 1970
    spent_micro: int  # millionths of epsilon
    young: bool = False  # its file is less than a day old: what was spent is not known


def day_of(start: int) -> int:
    """The UTC day of ``start`` (UTC s)."""
    return start // DAY_S


def spend(ledger: Ledger, day: int, cost_micro: int, daily_micro: int) -> Ledger | None:
    """The ledger after a report of ``cost_micro`` on ``day``, or None: refused.

    Costs are millionths of epsilon; ``daily_micro`` above the ceiling counts as the
    ceiling. Raises ValueError where the cost is not above 0.
    """
    if cost_micro <= 0:
        raise ValueError(f"cost = {cost_micro} millionths must be above 0")
    daily = min(daily_micro, CEILING_MICRO)
    spent = 0 if day > ledger.day else ledger.spent_micro
    if ledger.young or spent + cost_micro > daily:
        return None
    return Ledger(max(day, ledger.day), spent + cost_micro)


def report_cost(daily_micro: int, lines: int) -> int:
    """Millionths of epsilon that one report costs for each crossing in it.

    A crossing is in one report alone, so what a person gives away in a day is this
    times the number of their crossings: at most the day's budget for CROSSINGS_OF_ONE.
    A day has at most REPORTS_PER_DAY reports of each line, so the budget is never spent
    before the day's last report.
    """
    daily = min(daily_micro, CEILING_MICRO)
    shares = max(CROSSINGS_OF_ONE, REPORTS_PER_DAY * lines)
    return max(1, daily // shares)
