"""What the looks of one who crosses often give away: today's noise beside the old."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

from bench.rows import Row
from guessing import BEFORE, RUNS, guessed

from doorsill.privacy import budget
from doorsill.privacy.floors import CROSSINGS_OF_ONE


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
                "(chance 50 %) and age band (chance 50 %) guessed right",
                shown(guessed(crossings, epsilon, runs, days)),
                {f"noise for {BEFORE}, not {CROSSINGS_OF_ONE}": shown(was)},
            )


def shown(shares: tuple[float, float]) -> str:
    """Two shares as percent."""
    return ", ".join(f"{share:.0%}" for share in shares)
