r"""Two who meet may swap their ids: see that it has happened, and swap them back.

really        tracked          each seems to take over the other's way of walking;
a \   / b     a \   / b        then both are taken to have walked on as before
   \ /           ) (
b / \ a       a /   \ b

A meeting begins when two tracks compete for one detection. It is over when they have
not done so for ``PARTED_S`` and both walk on. Somebody who stops and gives way is
waited for, until ``WAIT_S``: while one of the two does not walk, speeds say nothing.
Then each track gets the id whose speed before the meeting fits better to its speed now.

Swaps right at a line, too quick for this, are found by ``count/swaps.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from doorsill.vision.count.loose_ends import BRISK_SPEED
from doorsill.vision.follow.assignment import Candidates
from doorsill.vision.follow.person import Person

PARTED_S = 0.4  # time without competing, after which a meeting is over if both walk
WAIT_S = 1.0  # time without competing, after which a meeting is over in any case
SWAP_MARGIN = 2.0  # a swap fits better by this, squared body widths per s squared
MEETINGS_LIMIT = 128  # meetings that are remembered at most


class Meetings:
    """Pairs of tracks that are near each other, by their ids."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], float] = {}

    def __len__(self) -> int:
        return len(self._last)

    def note(
        self, people: Sequence[Person], candidates: Sequence[Candidates], now: float
    ) -> None:
        """Remember who competes for the same detection at ``now`` (monotonic s).

        ``candidates`` are those of each of the ``people``, in the same order.
        """
        first: dict[int, Person] = {}  # by detection, the first who may be it
        for person, columns in zip(people, candidates, strict=True):
            if not person.confirmed:
                continue
            for _, column in columns:
                other = first.setdefault(column, person)
                if other is not person:
                    self._meet(other, person, now)

    def _meet(self, one: Person, other: Person, now: float) -> None:
        ids = (one.id, other.id) if one.id < other.id else (other.id, one.id)
        if ids not in self._last:
            if len(self._last) >= MEETINGS_LIMIT:
                return
            one.met += 1
            other.met += 1
        self._last[ids] = now

    def settle(self, people: Sequence[Person], now: float) -> bool:
        """End the meetings that are over; True where two ids were swapped back."""
        over = [ids for ids, last in self._last.items() if now - last > PARTED_S]
        if not over:
            return False
        by_id = {person.id: person for person in people}
        swapped = False
        for ids in over:
            one, other = by_id.get(ids[0]), by_id.get(ids[1])
            if now - self._last[ids] <= WAIT_S and not (_walks(one) and _walks(other)):
                continue
            del self._last[ids]
            for each in (one, other):
                if each is not None:
                    each.met -= 1
            if one is not None and other is not None and _are_swapped(one, other):
                self._swap(one, other)
                by_id[one.id], by_id[other.id] = one, other
                swapped = True
        return swapped

    def _swap(self, one: Person, other: Person) -> None:
        """Give each track the other's id, and all that was learned under that id."""
        one.id, other.id = other.id, one.id
        one.hits, other.hits = other.hits, one.hits
        one.misses, other.misses = other.misses, one.misses
        one.began, other.began = other.began, one.began
        one.entered, other.entered = other.entered, one.entered
        one.walked, other.walked = other.walked, one.walked
        one.pictures, other.pictures = other.pictures, one.pictures
        one.scores, other.scores = other.scores, one.scores
        one.confirmed, other.confirmed = other.confirmed, one.confirmed
        one.met, other.met = other.met, one.met
        one.calm_x, other.calm_x = other.calm_x, one.calm_x
        one.calm_y, other.calm_y = other.calm_y, one.calm_y


def _walks(person: Person | None) -> bool:
    """Whether somebody walks; also True for a track that ended: no need to wait."""
    if person is None:
        return True
    squared = person.speed_x * person.speed_x + person.speed_y * person.speed_y
    return squared > (BRISK_SPEED * person.width) ** 2


def _are_swapped(one: Person, other: Person) -> bool:
    kept = _change(one, one) + _change(other, other)
    swapped = _change(one, other) + _change(other, one)
    return kept - swapped > SWAP_MARGIN * one.width * other.width


def _change(before: Person, after: Person) -> float:
    """Squared change from the speed before the meeting to the speed after it."""
    x, y = after.speed_x - before.calm_x, after.speed_y - before.calm_y
    return x * x + y * y
