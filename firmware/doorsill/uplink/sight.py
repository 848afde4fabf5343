"""What goes from vision into state, health and problems, sampled at our own moments.

    vision ─► Sight, every ten seconds; a change once a minute ─► problems, state, …

This is all that vision can change in them, so ``capacity.py`` can count it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import inf

from doorsill.cells import Picture, Quality
from doorsill.uplink.intake import Intake
from doorsill.uplink.standing import SILENT_S


@dataclass(frozen=True, slots=True)
class Sight:
    """What the uplink knows of vision at one moment."""

    picture: Picture = Picture.UNKNOWN
    heard_s: float | None = None  # 0.0 lately, inf not lately, None never
    counts: bool = False  # whether it is connected and reports counts
    closed: bool = False  # whether it is outside the opening hours in every place


# How many different ones there are once vision has sent a cell.
SIGHTS = len(list(product(Picture, (0.0, inf), (False, True), (False, True))))


def sight_of(intake: Intake, now: float) -> Sight:
    """Vision as ``intake`` knows it; ``now`` is monotonic s."""
    heard_s = None
    if intake.spoke_at is not None:
        heard_s = 0.0 if now - intake.spoke_at <= SILENT_S else inf
    cells = intake.newest.values()
    return Sight(
        picture=Picture(0 if intake.health is None else intake.health.picture),
        heard_s=heard_s,
        counts=intake.link is not None and bool(cells),
        closed=bool(cells) and all(Quality.CLOSED in cell.quality for cell in cells),
    )


def is_news(seen: Sight, known: Sight) -> bool:
    """Whether ``seen`` is to replace ``known``, and then to stay for a minute.

    A vision that starts is connected two seconds before it reports counts. A sample in
    between is not taken, because it would keep the state at init for that minute.
    """
    starts = seen.heard_s == 0.0 and not seen.counts and not known.counts
    return seen != known and not starts
