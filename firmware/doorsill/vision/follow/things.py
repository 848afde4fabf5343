"""What stands and never came: a plant or a poster that is taken for somebody.

    somebody     o  o  o  o  o o o o     walked here: stays somebody, however long
                                         they stand
    a thing               x x x x x      is found where it stands, again and again, and
                                         nobody walked there

Where tracks that never walked stand for a third of the last minutes, a *place* is
learned: four numbers, in memory alone. Who begins at a place is a thing until it walks.
A thing is followed as before, so that its detections are not taken for somebody who
passes, but it is not counted. Whoever walks is counted from where the track began.

A place where nothing stands any more is forgotten within minutes, and all of them when
the process ends. Where somebody was lost is known for the seconds of a hand-over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from doorsill.vision.count.loose_ends import HANDOVER_S
from doorsill.vision.follow.person import WALK_REACH, Person

KNOWN_S = 60.0  # level from which a place is one of a thing
MEMORY_S = 180.0  # time constant with which a level goes down
LEAST_S = 0.05  # a place of a lower level is forgotten
STEP_LIMIT_S = 1.0  # a longer time between two pictures counts as this
STANDS_S = 5.0  # a track that has not walked for longer than this stands
FOUND_REACH = 1.0  # somebody is found again this near to where they were lost, widths
STAYS_S = 600.0  # who has not walked at a known place for longer than this is a thing
PLACES_LIMIT = 64  # places, and people who were lost, that are remembered at most
DRIFT = 0.02  # share of a new place that is learned


@dataclass(slots=True)
class Place:
    """Where something stands, in picture heights."""

    x: float
    y: float
    width: float  # of the body that it is taken for
    level: float = 0.0  # s that something stood here, the older ones less and less

    @property
    def known(self) -> bool:
        """Whether what stands here is a thing."""
        return self.level >= KNOWN_S


@dataclass(slots=True)
class Things:
    """What is known of one camera's picture."""

    _places: list[Place] = field(default_factory=list)
    # Who walked and was lost: x, y and width in picture heights, and when, monotonic s.
    _lost: list[tuple[float, float, float, float]] = field(default_factory=list)
    _time: float = 0.0  # of the last picture, monotonic s

    def __len__(self) -> int:
        """How many people are remembered who were lost."""
        return len(self._lost)

    def begin(self, person: Person) -> None:
        """Say of a new track whether it is of somebody who walked and was lost."""
        place = self._at(person.x, person.y)
        person.walked = not (place and place.known) and any(
            math.hypot(person.x - x, person.y - y) <= FOUND_REACH * width
            for x, y, width, _ in self._lost
        )

    def update(
        self, people: Sequence[Person], partner: Sequence[int], now: float
    ) -> None:
        """Say of each who is a thing; ``now`` is monotonic seconds.

        ``partner`` is the row of each track's detection in this picture, or -1.
        """
        step, self._time = min(now - self._time, STEP_LIMIT_S), now
        if self._places or self._lost:
            self._forget(step, now)
        for person, row in zip(people, partner, strict=True):
            if row >= 0 and person.confirmed:
                self._judge(person, step, now)

    def end(self, person: Person, left: bool) -> None:
        """Take in that a track has ended; ``left`` says that it left the picture."""
        if not person.walked:
            if person.hits > 1:
                at = person.rest_x, person.rest_y, person.width
                stood = min(person.seen - person.began, STANDS_S)
                self._stand(self._at(*at[:2]), at, stood)
        elif not left and len(self._lost) < PLACES_LIMIT:
            self._lost.append((person.x, person.y, person.width, self._time))

    def _judge(self, person: Person, step: float, now: float) -> None:
        if person.has_walked():
            person.rest(now)
            return
        still, place = now - person.rested, self._at(person.x, person.y)
        if place is not None and place.known:
            person.walked = person.walked and still <= STAYS_S
            person.thing = not person.walked
        if not person.walked and still > STANDS_S:
            self._stand(place, (person.x, person.y, person.width), step)

    def _at(self, x: float, y: float) -> Place | None:
        """The place of which this is part, the best known one first."""
        here = [
            place
            for place in self._places
            if math.hypot(x - place.x, y - place.y) <= WALK_REACH * place.width
        ]
        return max(here, key=_level, default=None)

    def _stand(
        self, place: Place | None, at: tuple[float, float, float], seconds: float
    ) -> None:
        """Somebody of this x, y and width stood at ``place``, or at a new one."""
        x, y, width = at
        if place is None:
            if len(self._places) >= PLACES_LIMIT:
                return
            place = Place(x, y, width)
            self._places.append(place)
        place.x += DRIFT * (x - place.x)
        place.y += DRIFT * (y - place.y)
        place.level += seconds

    def _forget(self, step: float, now: float) -> None:
        kept = math.exp(-max(step, 0.0) / MEMORY_S)
        for place in self._places:
            place.level *= kept
        self._places = [each for each in self._places if each.level > LEAST_S]
        self._lost = [each for each in self._lost if now - each[-1] <= HANDOVER_S]


def _level(place: Place) -> float:
    return place.level
