"""Hold what was counted against what happened: misses and extras apart, never netted.

A count matches a true crossing of the same direction, one to one, within two seconds of
the time in which that person changed sides. What is left of the truth is *missed*. What
is left of the counts is *extra*, and blamed on somebody who was at the line then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from doorsill.values import Direction
from doorsill_street.people import Behaviour, TrueCrossing

MATCH_S = 2.0  # between a count and the true crossing that it matches, at most
NOBODY = "nobody"  # who is blamed where nobody was at the line


@dataclass(slots=True)
class Score:
    """Sums over one or several streets, by direction and by behaviour."""

    true: Counter[Direction] = field(default_factory=Counter)
    missed: Counter[tuple[Direction, str]] = field(default_factory=Counter)
    extra: Counter[tuple[Direction, str]] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)  # true crossings by behaviour

    def wrong(self, direction: Direction) -> float:
        """(missed + extra) over the true crossings of one direction."""
        errors = sum(
            number
            for table in (self.missed, self.extra)
            for (way, _), number in table.items()
            if way is direction
        )
        return errors / max(1, self.true[direction])

    @property
    def worst(self) -> float:
        """The greater share of wrong crossings of the two directions."""
        return max(self.wrong(way) for way in Direction)

    def add(
        self,
        truth: Sequence[TrueCrossing],
        counted: Iterable[tuple[float, Direction]],
        at_the_line: Sequence[tuple[float, Behaviour]],
    ) -> None:
        """Add a street: its truth, (time, direction) of the counts, who was there.

        Times are seconds since the street's start.
        """
        counts = sorted(counted)
        for way in Direction:
            real = [each for each in truth if each.direction is way]
            times = [time for time, direction in counts if direction is way]
            self.true[way] += len(real)
            self.of.update(each.behaviour.value for each in real)
            missed, extra = _match(real, times)
            self.missed.update((way, real[row].behaviour.value) for row in missed)
            self.extra.update((way, _blame(times[row], at_the_line)) for row in extra)


def _match(
    real: Sequence[TrueCrossing], counted: Sequence[float]
) -> tuple[list[int], list[int]]:
    """Rows of the truth and of the counts that are left; the tightest match first."""
    free = set(range(len(counted)))
    missed = []
    for row in sorted(range(len(real)), key=lambda row: real[row].time + MATCH_S):
        low, high = real[row].since - MATCH_S, real[row].time + MATCH_S
        within = [column for column in free if low <= counted[column] <= high]
        if within:
            free.remove(min(within, key=lambda column: counted[column]))
        else:
            missed.append(row)
    return missed, sorted(free)


def _blame(time: float, at_the_line: Sequence[tuple[float, Behaviour]]) -> str:
    near = [(abs(when - time), who.value) for when, who in at_the_line]
    nearest = min(near, default=(MATCH_S + 1, NOBODY))
    return nearest[1] if nearest[0] <= MATCH_S else NOBODY
