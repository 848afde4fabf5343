"""Follow people from frame to frame by motion alone.

    Detections, now ─► predict ─► pair ─► correct ─► who met and parted ─► Tracks
                                   │                                        ▲
                                   └─ left over, surely seen: a new track ──┘

SORT (Bewley et al. 2016) with a constant-velocity Kalman filter and a second pass for
weak detections (ByteTrack, Zhang et al. 2022). What is followed is the head: detectors
see it well and guess the foot. How much a foot is worth is learned from how far feet
are off (``_learn``), one number for the whole picture. The few people of a door are
followed in plain Python: dozens of numpy calls on five rows each take several times as
long. Read ``person`` for one track, ``pairing`` for which detection is whose, and
``meetings`` for those who swap their ids.

Time is an argument: nothing here depends on a frame rate. What people look like is not
read. Ids are random, and no id outlives its track; of a person who was lost, the place
does for the seconds of a hand-over (``things``).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import numpy as np

from doorsill.values import Detections, Tracks
from doorsill.vision.count.loose_ends import ENTRY_MARGIN
from doorsill.vision.follow.meetings import Meetings
from doorsill.vision.follow.pairing import find_partners
from doorsill.vision.follow.person import HEAD_VARIANCE, Below, Person, Sighting
from doorsill.vision.follow.things import Things
from doorsill.vision.follow.twins import Merged, merge_twins
from doorsill.vision.geometry import touches_edge

BIRTH_SCORE = 0.5  # least score of a detection that begins a track
FOOT_VARIANCE = 0.3**2  # of a foot's place at first, squared body widths
FOOT_VARIANCE_LEAST = 0.1**2  # of one foot, as it is learned from, at least
FOOT_VARIANCE_MOST = 1.0  # of one foot, as it is learned from, at most
FOOT_GAIN = 0.005  # share of one foot's variance that is learned
BIRTHS_GAIN = 0.02  # share of a picture's new tracks that is learned
WIDTH_LEAST = 0.005  # least width of a body, picture heights
TRACKS_LIMIT = 64  # tracks at most
STEP_LIMIT_S = 1.0  # all tracks are dropped after a longer gap between frames


def random_id() -> int:
    """A new id: 63 random bits from the operating system, so none comes twice."""
    return secrets.randbits(63)


class Tracker:
    """Detections in, tracks out; call once per frame, also when nobody is there.

    ``aspect`` is the picture's width over its height. A detection that belongs to no
    track begins one if its score is ``born`` or more.
    """

    def __init__(
        self,
        aspect: float = 4 / 3,
        new_id: Callable[[], int] = random_id,
        born: float = BIRTH_SCORE,
    ) -> None:
        self._aspect = aspect
        self._new_id = new_id
        self._birth_score = born
        self._time = 0.0  # of the last frame, monotonic s
        self._people: list[Person] = []
        self._foot_variance = FOOT_VARIANCE
        self._births = 0.0  # tracks that begin in each picture, averaged
        self._meetings = Meetings()
        self._things = Things()
        self._ids = np.empty(0, np.int64)  # of the people, in their order

    def __len__(self) -> int:
        return len(self._people)

    def update(self, detections: Detections, now: float) -> Tracks:
        """Everybody who is followed after this frame; ``now`` is monotonic seconds."""
        ended = self._predict(now)
        sightings = self._measure(detections)
        foot_variance = self._foot_variance
        partner = find_partners(
            self._people, sightings, foot_variance, self._meetings, now
        )
        foot_share = HEAD_VARIANCE / max(foot_variance, 2 * HEAD_VARIANCE)
        for person, row in zip(self._people, partner, strict=True):
            if row >= 0:
                self._learn(person, sightings[row])
                person.correct(sightings[row], now, foot_share)
            else:
                person.miss()
        merged = merge_twins(self._people, partner, now, self._births)
        self._things.update(self._people, partner, now)
        swapped = self._meetings.settle(self._people, now)
        gone, partner = self._drop_gone(partner, now)
        ended += [person.id for person in gone] + [twin for twin, _ in merged]
        left = [person.id for person in gone if person.has_left(now, self._aspect)]
        for person in gone:
            self._things.end(person, person.id in left)
        born = _find_born(self._people, partner, sightings, self._birth_score)
        self._births += BIRTHS_GAIN * (len(born) - self._births)
        if born:
            self._people += [self._begin(sightings[row], now) for row in born]
            partner += born
        if born or ended or swapped:
            self._ids = np.array([each.id for each in self._people], np.int64)
        return self._tracks(partner, tuple(ended), tuple(left), tuple(merged))

    def _predict(self, now: float) -> list[int]:
        """Move everybody on to ``now``; gives the ids that end, after a long gap."""
        step, self._time = now - self._time, now
        if 0.0 <= step <= STEP_LIMIT_S:
            for person in self._people:
                person.predict(step)
            return []
        ended, self._people = [each.id for each in self._people], []
        self._meetings = Meetings()
        return ended

    def _drop_gone(
        self, partner: list[int], now: float
    ) -> tuple[list[Person], list[int]]:
        """End the tracks that are gone; gives them, and the partners of the others."""
        gone = [person.is_gone(now, self._aspect) for person in self._people]
        if True not in gone:  # nearly always
            return [], partner
        rows = list(zip(self._people, partner, gone, strict=True))
        self._people = [person for person, _, is_gone in rows if not is_gone]
        partner = [row for _, row, is_gone in rows if not is_gone]
        return [person for person, _, is_gone in rows if is_gone], partner

    def _learn(self, person: Person, sighting: Sighting) -> None:
        """Learn how far off feet are, for some detectors guess them better."""
        below, seen = person.below, sighting.below
        off_x, off_y = below.foot_x - seen.foot_x, below.foot_y - seen.foot_y
        width = person.width
        variance = 0.5 * (off_x * off_x + off_y * off_y) / (width * width)
        if variance < FOOT_VARIANCE_LEAST:  # calls of min and max take longer
            variance = FOOT_VARIANCE_LEAST
        elif variance > FOOT_VARIANCE_MOST:
            variance = FOOT_VARIANCE_MOST
        self._foot_variance += FOOT_GAIN * (variance - self._foot_variance)

    def _measure(self, detections: Detections) -> list[Sighting]:
        """The detections in picture heights, in their order."""
        aspect, sightings = self._aspect, []
        rows = zip(
            detections.feet.tolist(),
            detections.heads.tolist(),
            detections.boxes.tolist(),
            detections.scores.tolist(),
            strict=True,
        )
        for (x, y), (x0, y0, x1, y1), (left, top, right, bottom), score in rows:
            left, right = left * aspect, right * aspect
            head_x, head_y = (x0 + x1) * 0.5 * aspect, (y0 + y1) * 0.5
            below = Below(
                x * aspect - head_x,
                y - head_y,
                left - head_x,
                top - head_y,
                right - head_x,
                bottom - head_y,
            )
            width = max(min(right - left, bottom - top), WIDTH_LEAST)
            sightings.append(Sighting(head_x, head_y, below, width, score))
        return sightings

    def _begin(self, seen: Sighting, now: float) -> Person:
        x, y, (_, _, left, top, right, bottom) = seen.x, seen.y, seen.below
        person = Person(self._new_id(), x, y, seen.below, seen.width, now, began=now)
        aspect, margin = self._aspect, ENTRY_MARGIN * seen.width
        box = ((x + left) / aspect, y + top, (x + right) / aspect, y + bottom)
        person.entered = touches_edge(box, aspect, margin)
        person.rest_x, person.rest_y, person.rested = x, y, now
        self._things.begin(person)
        return person

    def _tracks(
        self,
        partner: list[int],
        ended: tuple[int, ...],
        left: tuple[int, ...],
        merged: tuple[Merged, ...],
    ) -> Tracks:
        aspect = self._aspect
        numbers: list[float] = []
        for person in self._people:
            x, y = person.x, person.y
            foot_x, foot_y, x0, y0, x1, y1 = person.below
            numbers += ((x + x0) / aspect, y + y0, (x + x1) / aspect, y + y1)
            numbers += ((x + foot_x) / aspect, y + foot_y)
        at = np.array(numbers, np.float32).reshape(-1, 6)
        confirmed = [person.confirmed and not person.thing for person in self._people]
        return Tracks(
            ids=self._ids,
            boxes=at[:, :4],
            feet=at[:, 4:],
            detection=np.array(partner, np.intp),
            confirmed=np.array(confirmed, np.bool_),
            ended=ended,
            left=left,
            merged=merged,
        )


def _find_born(
    people: Sequence[Person],
    partner: Sequence[int],
    sightings: Sequence[Sighting],
    least_score: float,
) -> list[int]:
    """Rows of detections that begin a track: sure, nobody's, and nobody's twin."""
    taken = set(partner)
    born = [
        row
        for row, sighting in enumerate(sightings)
        if sighting.score >= least_score and row not in taken
    ]
    if not born:
        return born
    found = [p for p, row in zip(people, partner, strict=True) if row >= 0]
    born = [
        row for row in born if not any(each.is_at(sightings[row]) for each in found)
    ]
    born.sort(key=lambda row: -sightings[row].score)
    return born[: TRACKS_LIMIT - len(people)]
