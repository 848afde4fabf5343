"""What the looks of one who crosses often give away: the real reports, guessed from.

One person alone crosses n times; whoever reads the broker knows that, and guesses
apparent expression (of 2) and age band (of 4) by the larger cells. ``shares`` other
than today's is how things were: 8, a report for each slot of one line.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Sequence
from unittest.mock import patch

from bench.rows import Row

from doorsill.cells import LineCell, Quality
from doorsill.privacy import budget
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import CROSSINGS_OF_ONE, REPORTS_PER_DAY, SLOT_S
from doorsill.privacy.noise import MICRO
from doorsill.uplink.codec import decode
from doorsill.uplink.looks import Desk, Rules, consider
from doorsill.uplink.reports import Release
from doorsill.uplink.wire import Attributes

DAY = 20_000
RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)
RUNS = 2000
BEFORE = REPORTS_PER_DAY  # what a crossing's share of the day was for one line


def alone(crossings: Sequence[int], expression: int, age: int) -> list[LineCell]:
    """Windows of one person who comes in so often in each slot of a day."""
    cells, total = [], 0
    for slot, often in enumerate(crossings):
        for minute in range(often):
            total += 1
            ages, expressions = [0] * 5, [0] * 3
            ages[age] = expressions[expression] = 1
            start = DAY * 86_400 + slot * SLOT_S + minute * 60
            looks = tuple(ages), tuple(expressions)
            cells.append(window(start, 1, total, *looks))
    cells.append(window((DAY + 1) * 86_400, 0, total))  # ends the last span
    return cells


def window(
    start: int,
    came_in: int,
    total: int,
    ages: tuple[int, ...] = (0,) * 5,
    expressions: tuple[int, ...] = (0,) * 3,
) -> LineCell:
    """One closed minute of one line."""
    return LineCell(
        1, 0, start, 60, True, came_in, 0, total, 0, 60_000, Quality.GOOD, ages,
        expressions,
    )  # fmt: skip


def reports(cells: Sequence[LineCell], epsilon: float) -> list[Attributes]:
    """What the uplink publishes of them."""
    rules = Rules(True, 10, int(epsilon * MICRO), 1)
    voice = RELEASE, secrets.randbelow
    told = consider(Desk(), cells, rules, Ledger(DAY, 0), voice)
    found = [decode("attributes", each.payload) for each in told.reports]
    return [each for each in found if isinstance(each, Attributes)]


def guessed(
    crossings: Sequence[int], epsilon: float, runs: int = RUNS, days: int = 1
) -> tuple[float, float]:
    """The shares of right guesses of expression and of age band."""
    right_expression = right_age = 0
    for _ in range(runs):
        expression, age = random.randrange(2), random.randrange(4)
        sums = [0] * 6
        for _ in range(days):
            for each in reports(alone(crossings, expression, age), epsilon):
                cells = (
                    each.expression_feminine, each.expression_masculine,
                    each.age_child, each.age_young_adult, each.age_adult,
                    each.age_older,
                )  # fmt: skip
                sums = [a + b for a, b in zip(sums, cells, strict=True)]
        right_expression += (sums[1] > sums[0]) == expression
        right_age += max(range(4), key=lambda i: sums[2 + i]) == age
    return right_expression / runs, right_age / runs


def rows() -> Iterator[Row]:
    """One employee, at two budgets, before and after; and over many days."""
    for epsilon in (2.0, 1.0):
        for name, crossings, days in (
            ("40 crossings in one slot", (40,), 1),
            ("40 crossings in three slots", (13, 14, 13), 1),
            ("20 days of 40 crossings", (40,), 20),
        ):
            runs = RUNS // days
            with patch.object(budget, "CROSSINGS_OF_ONE", BEFORE):
                was = guessed(crossings, epsilon, runs, days)
            yield Row(
                f"one employee alone, {name}, epsilon {epsilon} a day: expression "
                "(chance 50 %) and age band (chance 25 %) guessed right",
                shown(guessed(crossings, epsilon, runs, days)),
                {f"noise for {BEFORE}, not {CROSSINGS_OF_ONE}": shown(was)},
            )


def shown(shares: tuple[float, float]) -> str:
    """Two shares as percent."""
    return ", ".join(f"{share:.0%}" for share in shares)
