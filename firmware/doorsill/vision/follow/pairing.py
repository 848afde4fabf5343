"""Which detection is which person in this frame: three passes over what is left.

    surely seen ─► barely seen ─► the rest, loosely

The first two passes keep apart people who are close to each other: they weigh how well
each one's place is known. The last pass has only tracks that meet nobody and detections
that can be nobody else, so only the distance of the heads counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from doorsill.vision.follow.assignment import Candidates, pair
from doorsill.vision.follow.meetings import Meetings
from doorsill.vision.follow.person import (
    COST_LIMIT,
    LOOSE_COST_LIMIT,
    Choice,
    Person,
    Sighting,
)

SURE_SCORE = 0.5  # least score of a detection in the first pass
WEAK_SCORE = 0.15  # least score of a detection in the second pass
TRUSTED_SCORE = 0.7  # score from which a detection costs nothing for its score
DOUBT_COST = 7.0  # cost for each point of score below the trusted one


def find_partners(
    people: Sequence[Person],
    sightings: Sequence[Sighting],
    foot_variance: float,
    meetings: Meetings,
    now: float,
) -> list[int]:
    """For each track the row of its detection, or -1.

    ``foot_variance`` is that of a foot's place, in squared body widths. ``meetings``
    remembers who competes for one detection at ``now`` (monotonic s).
    """
    sure, weak = _choices(sightings)
    candidates = [person.weigh(sure, foot_variance) for person in people]
    meetings.note(people, candidates, now)
    partner = pair(candidates, COST_LIMIT)
    if weak:
        left = [index for index, row in enumerate(partner) if row < 0]
        weakly = [people[index].weigh(weak, foot_variance) for index in left]
        _fill(partner, left, weakly, COST_LIMIT)
    left = [i for i, row in enumerate(partner) if row < 0 and not people[i].met]
    if left:
        taken = {row for each in candidates for _, row in each}
        taken.update(partner)
        rest = sorted(each for each in (*sure, *weak) if each[-1] not in taken)
        loosely = [
            people[index].weigh(rest, foot_variance, loose=True) for index in left
        ]
        _fill(partner, left, loosely, LOOSE_COST_LIMIT)
    return partner


def _choices(sightings: Iterable[Sighting]) -> tuple[list[Choice], list[Choice]]:
    """Those surely seen and those barely seen, each from left to right."""
    sure: list[Choice] = []
    weak: list[Choice] = []
    for row, sighting in enumerate(sightings):
        x, y, below = sighting.x, sighting.y, sighting.below
        doubt = DOUBT_COST * max(0.0, TRUSTED_SCORE - sighting.score)
        if sighting.score >= WEAK_SCORE:
            seen = sure if sighting.score >= SURE_SCORE else weak
            seen.append((x, y, x + below.foot_x, y + below.foot_y, doubt, row))
    sure.sort()
    weak.sort()
    return sure, weak


def _fill(
    partner: list[int],
    left: Sequence[int],
    candidates: Sequence[Candidates],
    limit: float,
) -> None:
    for index, row in zip(left, pair(candidates, limit), strict=True):
        partner[index] = row
