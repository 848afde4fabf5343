"""Who is whom in this frame: three passes over tracks and detections.

    surely seen ─► barely seen ─► what is left over, loosely

The first two keep apart people who are close to each other: they weigh how well each is
known. In the last one are only tracks that meet nobody and detections that nobody else
could be, so all that counts is the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from doorsill.vision.follow.assignment import Wish, pair
from doorsill.vision.follow.meetings import Meetings
from doorsill.vision.follow.person import GATE, LOOSE, Choice, Person, Spot

SURE, WEAK = 0.5, 0.15  # scores: first pass, second pass
DOUBT, TRUSTED = 7.0, 0.7  # cost for each point of score below the trusted one


def partners(
    people: Sequence[Person],
    spots: Sequence[Spot],
    foot: float,
    meetings: Meetings,
    now: float,
) -> list[int]:
    """For each track the row of its detection, or -1.

    ``foot`` is the variance of a foot's place; who wants the same meets at ``now``.
    """
    sure, weak = _choices(spots)
    wishes = [person.wish(sure, foot) for person in people]
    meetings.note(people, wishes, now)
    partner = pair(wishes, GATE)
    if weak:
        left = [index for index, row in enumerate(partner) if row < 0]
        _fill(partner, left, [people[index].wish(weak, foot) for index in left], GATE)
    left = [i for i, row in enumerate(partner) if row < 0 and not people[i].met]
    if left:
        taken = {row for wish in wishes for _, row in wish}
        taken.update(partner)
        rest = sorted(each for each in (*sure, *weak) if each[-1] not in taken)
        loosely = [people[index].wish(rest, foot, loose=True) for index in left]
        _fill(partner, left, loosely, LOOSE)
    return partner


def _choices(spots: Iterable[Spot]) -> tuple[list[Choice], list[Choice]]:
    """Who is surely seen and who barely, each from left to right."""
    sure: list[Choice] = []
    weak: list[Choice] = []
    for row, spot in enumerate(spots):
        x, y, below = spot.x, spot.y, spot.below
        doubt = DOUBT * max(0.0, TRUSTED - spot.score)
        if spot.score >= WEAK:
            seen = sure if spot.score >= SURE else weak
            seen.append((x, y, x + below[0], y + below[1], doubt, row))
    sure.sort()
    weak.sort()
    return sure, weak


def _fill(
    partner: list[int], left: Sequence[int], wishes: Sequence[Wish], limit: float
) -> None:
    for index, row in zip(left, pair(wishes, limit), strict=True):
        partner[index] = row
