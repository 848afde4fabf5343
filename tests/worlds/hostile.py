"""A vision that was taken over, with the best encoder that we could write.

It has code in the process that sees, so it may put any bytes on the cell socket at any
time. A message of its choice is spelt in what the uplink lets through: two counts, the
coverage and eight flags of each minute and line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from doorsill.cells import (
    CROSSINGS_MOST,
    MINUTE_S,
    Cell,
    HealthCell,
    LineCell,
    LooksCell,
    Quality,
    ZoneCell,
)
from doorsill.privacy.floors import SLOT_S
from doorsill.wire.messages import LineInterval

OURS = Quality.GAP | Quality.FAULT  # the uplink's own
FLAGS = tuple(flag for flag in Quality if flag not in OURS)
PAIRS = (CROSSINGS_MOST + 1) * (CROSSINGS_MOST + 2) // 2
WORDS = PAIRS * (MINUTE_S + 1) * 2 ** len(FLAGS)  # that one window can be


def spelt(word: int, line: int, start: int) -> LineCell:
    """The one cell whose window says ``word``, below WORDS."""
    word, flags = divmod(word, 2 ** len(FLAGS))
    pair, coverage_s = divmod(word, MINUTE_S + 1)
    count_in, count_out = _pair(pair)
    quality = Quality.GOOD
    for bit, flag in enumerate(FLAGS):
        if flags >> bit & 1:
            quality |= flag
    return LineCell(
        line, start, MINUTE_S, True, count_in, count_out, 1000 * coverage_s, quality
    )


def read(told: LineInterval) -> int:
    """What the reader at the broker makes of a window."""
    flags = sum(
        1 << bit
        for bit, flag in enumerate(FLAGS)
        if str(flag.name).lower() in told.quality
    )
    pair = _rank(told.count_in, told.count_out)
    return (pair * (MINUTE_S + 1) + told.coverage_s) * 2 ** len(FLAGS) + flags


def noise(minute: int, dice: random.Random) -> Iterator[Cell]:
    """All else that it can think of, none of which may arrive: each is tried."""
    word = spelt(dice.randrange(WORDS), 0, minute)
    slot = minute // SLOT_S * SLOT_S
    far = 2**40
    yield replace(word, start=minute + 86_400)  # of a time to come
    yield replace(word, start=far)
    yield replace(word, start=0)  # of long ago
    yield replace(word, line=dice.randrange(1, 65_536))  # of a place that there is not
    yield ZoneCell(3, minute, 60, True, 600, 36_000, 100, 100_000, 60_000, Quality.GOOD)
    yield replace(word, count_in=10**6)  # more than feet can do
    yield replace(word, duration_s=86_400)
    yield replace(word, quality=Quality.FAULT | Quality(1 << 20))
    yield LooksCell(0, slot - SLOT_S, slot, (9**9, 0, 1), (9**9, 1, 0))
    yield LooksCell(0, slot, slot + SLOT_S, (10, 0, 0), (10, 0, 0))
    yield HealthCell(far, *(dice.randrange(2**32) for _ in range(9)))


def _rank(count_in: int, count_out: int) -> int:
    """The number of a pair, ordered by its sum."""
    both = count_in + count_out
    return both * (both + 1) // 2 + count_out


def _pair(rank: int) -> tuple[int, int]:
    both = 0
    while (both + 1) * (both + 2) // 2 <= rank:
        both += 1
    count_out = rank - both * (both + 1) // 2
    return both - count_out, count_out
