"""What the looks of one who crosses often give away: the real reports, guessed from.

One person alone crosses n times; a person who reads the broker knows that, and guesses
apparent expression (of 2) and age band (of 2) by the larger cells.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Iterator, Sequence

from uplinks import RELEASE

from doorsill.cells import Age, Expression, LooksCell
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import K_FLOOR, REPORTS_PER_DAY, SLOT_S
from doorsill.privacy.noise import MICRO
from doorsill.privacy.threshold import Histogram, Pending, add
from doorsill.uplink.attributes import AttributeRules, ReportContext, consider
from doorsill.uplink.pieces import Places
from doorsill.wire.codec import decode
from doorsill.wire.messages import Attributes

DAY = 20_000
RUNS = 2000
BEFORE = REPORTS_PER_DAY  # what a crossing's share of the day was for one line


def alone(crossings: Sequence[int], expression: int, age: int) -> Iterator[LooksCell]:
    """What vision hands on of one person who comes in so often in each slot."""
    pending = Pending()
    for slot, often in enumerate((*crossings, 0)):
        ages, expressions = [0] * len(Age), [0] * len(Expression)
        ages[age] = expressions[expression] = often
        start = DAY * 86_400 + slot * SLOT_S
        looks = Histogram(start, start + 60, tuple(ages), tuple(expressions))
        pending, span = add(pending, looks, K_FLOOR)
        if span is not None:
            yield LooksCell(0, span.start, span.end, span.ages, span.expressions)


def reports(cells: Iterable[LooksCell], epsilon: float) -> Iterator[Attributes]:
    """What the uplink publishes of them; everybody who came in was looked at."""
    rules = AttributeRules(True, K_FLOOR, int(epsilon * MICRO), Places(1, 0))
    ledger = Ledger(DAY, 0)
    for cell in cells:
        context = ReportContext(RELEASE, secrets.randbelow)
        told = consider(cell, sum(cell.ages), rules, ledger, context)
        ledger = told.ledger
        if told.report is not None:
            message = decode("attributes", told.report.payload)
            assert isinstance(message, Attributes)
            yield message


def guessed(
    crossings: Sequence[int], epsilon: float, runs: int = RUNS, days: int = 1
) -> tuple[float, float]:
    """The shares of right guesses of expression and of age band."""
    right_expression = right_age = 0
    for _ in range(runs):
        expression, age = random.randrange(2), random.randrange(2)
        sums = [0] * 4
        for _ in range(days):
            for each in reports(alone(crossings, expression, age), epsilon):
                cells = (
                    each.expression_feminine,
                    each.expression_masculine,
                    each.age_child,
                    each.age_adult,
                )
                sums = [a + b for a, b in zip(sums, cells, strict=True)]
        right_expression += (sums[1] > sums[0]) == expression
        right_age += (sums[3] > sums[2]) == age
    return right_expression / runs, right_age / runs
