"""Follow people from frame to frame by motion alone.

    Detections, now ─► predict ─► pair ─► correct ─► who met and parted ─► Tracks
                                   │                                        ▲
                                   └─ left over, surely seen: a new track ──┘

SORT (Bewley et al. 2016) with a constant-velocity Kalman filter and a second pass for
weak detections (ByteTrack, Zhang et al. 2022). What is followed is the head: detectors
see it well and guess the foot. How much a foot is worth is learned from how far feet
are off (``_learn``), one number for the whole picture. The few people of a door are
followed in plain Python: dozens of numpy calls on five rows each take several times as
long. Read ``person`` for one track, ``pairing`` for who is whom, ``meetings`` for those
who swap their ids.

Time is an argument: nothing here depends on a frame rate. No appearance is looked at;
ids are random, and neither an id nor anything else of a person outlives the track.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import numpy as np

from doorsill.values import Detections, Tracks
from doorsill.vision.follow.meetings import Meetings
from doorsill.vision.follow.pairing import partners
from doorsill.vision.follow.person import MEASURED, Person, Spot

BORN = 0.5  # score of a new track, where a detector has no other
FOOT, FOOT_LEAST = 0.3**2, 0.1**2  # variance of a foot's place: at first, at least,
FOOT_MOST = 1.0  # and of one foot, body widths squared
FOOT_GAIN = 0.005  # how fast it is learned
WIDTH_LEAST = 0.005  # picture heights
TRACKS_LIMIT = 64
STEP_LIMIT_S = 1.0  # after a longer pause everybody is somebody else


def random_id() -> int:
    """63 random bits from the operating system: no id is ever used again."""
    return secrets.randbits(63)


class Tracker:
    """Detections in, tracks out; call once per frame, also when nobody is there.

    ``aspect`` is the picture's width over its height, ``born`` the score from which a
    detection that is nobody's begins a track.
    """

    def __init__(
        self,
        aspect: float = 4 / 3,
        new_id: Callable[[], int] = random_id,
        born: float = BORN,
    ) -> None:
        self._aspect = aspect
        self._new_id = new_id
        self._born_at = born
        self._time = 0.0
        self._people: list[Person] = []
        self._foot = FOOT
        self._meetings = Meetings()
        self._ids = np.empty(0, np.int64)  # of the people, in their order

    def __len__(self) -> int:
        return len(self._people)

    def update(self, detections: Detections, now: float) -> Tracks:
        """Everybody being followed after this frame; ``now`` is monotonic seconds."""
        step, self._time = now - self._time, now
        ended: list[int] = []
        if 0.0 <= step <= STEP_LIMIT_S:
            for person in self._people:
                person.predict(step)
        else:
            ended, self._people = [each.id for each in self._people], []
            self._meetings = Meetings()
        spots = self._measure(detections)
        partner = partners(self._people, spots, self._foot, self._meetings, now)
        share = MEASURED / max(self._foot, 2 * MEASURED)
        for person, row in zip(self._people, partner, strict=True):
            if row >= 0:
                self._learn(person, spots[row])
                person.correct(spots[row], now, share)
        swapped = self._meetings.settle(self._people, now)
        aspect, left = self._aspect, []
        gone = [person.is_gone(now, aspect) for person in self._people]
        if True in gone:
            out = [p for p, is_gone in zip(self._people, gone, strict=True) if is_gone]
            ended += [person.id for person in out]
            left = [person.id for person in out if person.has_left(now, aspect)]
            rows = zip(self._people, partner, gone, strict=True)
            stay = [(person, row) for person, row, is_gone in rows if not is_gone]
            self._people = [person for person, _ in stay]
            partner = [row for _, row in stay]
        born = _born(self._people, partner, spots, self._born_at)
        if born:
            self._people += [self._begin(spots[row], now) for row in born]
            partner += born
        if born or ended or swapped:
            self._ids = np.array([each.id for each in self._people], np.int64)
        return self._tracks(partner, tuple(ended), tuple(left))

    def _learn(self, person: Person, spot: Spot) -> None:
        """How far off feet are: how well a detector guesses them differs."""
        x, y = person.below[:2]
        toe_x, toe_y = spot.below[:2]
        squared = ((x - toe_x) ** 2 + (y - toe_y) ** 2) / person.width**2
        off = min(max(0.5 * squared, FOOT_LEAST), FOOT_MOST)
        self._foot += FOOT_GAIN * (off - self._foot)

    def _measure(self, detections: Detections) -> list[Spot]:
        aspect, spots = self._aspect, []
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
            below = (
                *(x * aspect - head_x, y - head_y),
                *(left - head_x, top - head_y, right - head_x, bottom - head_y),
            )
            width = max(min(right - left, bottom - top), WIDTH_LEAST)
            spots.append(Spot(head_x, head_y, below, width, score))
        return spots

    def _begin(self, spot: Spot, now: float) -> Person:
        return Person(self._new_id(), spot.x, spot.y, spot.below, spot.width, now)

    def _tracks(
        self, partner: list[int], ended: tuple[int, ...], left: tuple[int, ...]
    ) -> Tracks:
        aspect = self._aspect
        numbers: list[float] = []
        for person in self._people:
            x, y = person.x, person.y
            foot_x, foot_y, x0, y0, x1, y1 = person.below
            numbers += ((x + x0) / aspect, y + y0, (x + x1) / aspect, y + y1)
            numbers += ((x + foot_x) / aspect, y + foot_y)
        at = np.array(numbers, np.float32).reshape(-1, 6)
        confirmed = [person.confirmed for person in self._people]
        return Tracks(
            ids=self._ids,
            boxes=at[:, :4],
            feet=at[:, 4:],
            detection=np.array(partner, np.intp),
            confirmed=np.array(confirmed, np.bool_),
            ended=ended,
            left=left,
        )


def _born(
    people: Sequence[Person],
    partner: Sequence[int],
    spots: Sequence[Spot],
    least: float,
) -> list[int]:
    """Detections that start a track: sure, nobody's, and not somebody's twin."""
    taken = set(partner)
    born = [
        row
        for row, spot in enumerate(spots)
        if spot.score >= least and row not in taken
    ]
    if not born:
        return born
    found = [p for p, row in zip(people, partner, strict=True) if row >= 0]
    born = [row for row in born if not any(each.is_at(spots[row]) for each in found)]
    born.sort(key=lambda row: -spots[row].score)
    return born[: TRACKS_LIMIT - len(people)]
