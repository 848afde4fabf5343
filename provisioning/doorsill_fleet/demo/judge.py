"""Whether a demo went as it should: its counts, and what the card did.

Decides without doing: values in, one sentence for each fault out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

APART_LEAST = 2  # crossings by which a count may be wrong, for a line and direction
APART_SHARE = 0.1  # of the true crossings; the larger of the two counts
DIRECTIONS = ("in", "out")
BLANK, OPEN = "BLANK", "OPEN"

Counts = Sequence[tuple[int, int]]  # (in, out) for each line


def tolerance(true: int) -> int:
    """By how many crossings a count of ``true`` crossings may be off."""
    return max(APART_LEAST, math.ceil(APART_SHARE * true))


def miscounts(counted: Counts, truth: Counts | None) -> list[str]:
    """One sentence for each direction that is off by more than its tolerance."""
    if truth is None:
        return []
    return [
        f"line {line}: {found[way]} {DIRECTIONS[way]} were counted, {true[way]} are "
        f"true; they may differ by {tolerance(true[way])}. Is the machine too busy? "
        "See the frame rate"
        for line, (found, true) in enumerate(zip(counted, truth, strict=True), 1)
        for way in (0, 1)
        if abs(found[way] - true[way]) > tolerance(true[way])
    ]


def vault_faults(states: Sequence[str], seconds: float) -> list[str]:
    """What was wrong with the vault's ``states`` in turn: it must open, and be blank.

    The card is in for the middle third of ``seconds``.
    """
    if OPEN not in states:
        begins, ends = seconds / 3, seconds * 2 / 3
        return [
            f"the vault never opened, though the card was in from {begins:.0f} s "
            f"to {ends:.0f} s; what the vault said:"
        ]
    if states[-1] != BLANK:
        return ["the vault was not blank again when the card had gone; what it said:"]
    return []
