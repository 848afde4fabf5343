"""Follow people from frame to frame by motion alone.

    Detections, now ─► predict ─► pair (surely seen) ─► pair (barely seen) ─► Tracks
                                      │                                         ▲
                                      └─ left over, surely seen: a new track ───┘

SORT (Bewley et al. 2016) with a constant-velocity Kalman filter and a second pass for
weak detections (ByteTrack, Zhang et al. 2022). A person is eight numbers: the foot, the
middle of the head, and the box. All eight share one variance, in body widths, so that
a track needs one 2x2 covariance. The few people of a door are followed in plain Python:
dozens of numpy calls on five rows each take several times as long.

Time is an argument: nothing here depends on a frame rate. No appearance is looked at;
ids are random, and neither an id nor anything else outlives its track.
"""

from __future__ import annotations

import secrets
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from doorsill.values import Detections, Tracks
from doorsill.vision.assignment import pair

SURE, WEAK, BORN = 0.5, 0.15, 0.5  # scores: first pass, second pass, new tracks
MEASURED = 0.15**2  # variance of a detection, body widths squared
ACCELERATION = 3.0  # white noise, squared body widths per s cubed
SPEED = 3.0**2  # variance of a stranger's speed, squared body widths per s squared
REACH = 0.8  # body widths between a prediction and its detection at most
NEAR = sqrt(2) * REACH  # foot and head together
GATE = 5.0  # squared Mahalanobis distance at most
CONFIRM_HITS = 3
DOUBT_S = 0.4  # an unconfirmed track unseen for longer ends
DOUBT, TRUSTED = 10.0, 0.7  # cost for each point of score below the trusted one
COAST_S = 1.5  # a confirmed one
TWIN = 0.3  # body widths: a detection nearer to a track's own is no new person
WIDTH_LEAST = 0.005  # picture heights
WIDTH_GAIN = 0.2
TRACKS_LIMIT = 64
STEP_LIMIT_S = 1.0  # after a longer pause everybody is somebody else


def random_id() -> int:
    """63 random bits from the operating system: no id is ever used again."""
    return secrets.randbits(63)


@dataclass(slots=True)
class _Spot:
    """One detection, in picture heights."""

    at: Sequence[float]  # foot, middle of the head, box corners: eight numbers
    width: float
    score: float


# Foot and head of a detection, what it costs for its low score, and its row.
Choice = tuple[float, float, float, float, float, int]


@dataclass(slots=True)
class _Person:
    """One track: eight places and speeds with one covariance, in body widths and s."""

    id: int
    at: Sequence[float]  # as in a _Spot
    width: float
    seen: float  # when it was last
    speed: Sequence[float] = (0.0,) * 8
    hits: int = 1
    p00: float = MEASURED
    p01: float = 0.0
    p11: float = SPEED

    def predict(self, step: float) -> None:
        """Go on for ``step`` seconds at the same speed."""
        p01, p11 = self.p01, self.p11
        self.p00 += step * (2 * p01 + step * (p11 + step * (ACCELERATION / 3)))
        self.p01 = p01 + step * (p11 + step * (ACCELERATION / 2))
        self.p11 = p11 + step * ACCELERATION
        self.at = [x + step * v for x, v in zip(self.at, self.speed, strict=True)]

    def wish(self, choices: Sequence[Choice]) -> list[tuple[float, int]]:
        """Cost and row of the detections that may be this person.

        ``choices`` are sorted, so that those within reach lie side by side.
        The squared Mahalanobis distance of foot and head, and the log of its scale:
        a track that is sure of its place is preferred to one that has not been seen
        for a while and could be anywhere.
        """
        x, y, head_x, head_y, *_ = self.at
        reach = NEAR * self.width
        first = bisect(choices, (x - reach,))
        last = bisect(choices, (x + reach,))
        spread, area = self.p00 + MEASURED, self.width * self.width
        unsure, weight = log(spread / MEASURED), 0.5 / (spread * area)
        found = []
        for foot_x, foot_y, top_x, top_y, doubt, row in choices[first:last]:
            off_x, off_y = x - foot_x, y - foot_y
            squared = off_x * off_x + off_y * off_y
            off_x, off_y = head_x - top_x, head_y - top_y
            squared += off_x * off_x + off_y * off_y
            cost = squared * weight + unsure + doubt
            if squared <= reach * reach and cost < GATE:
                found.append((cost, row))
        return found

    def correct(self, spot: _Spot, now: float) -> None:
        """This person was seen at ``spot``."""
        p00, p01 = self.p00, self.p01
        gain = 1.0 / (p00 + MEASURED)
        near, far = gain * p00, gain * p01
        at: list[float] = []
        speed: list[float] = []
        for x, v, there in zip(self.at, self.speed, spot.at, strict=True):
            off = there - x
            at.append(x + near * off)
            speed.append(v + far * off)
        self.at, self.speed = at, speed
        self.p11 -= far * p01
        self.p01 = p01 - near * p01
        self.p00 = p00 - near * p00
        self.width += WIDTH_GAIN * (spot.width - self.width)
        self.seen = now
        self.hits += 1

    def is_gone(self, now: float, aspect: float) -> bool:
        """Unseen for too long, or unseen and out of the picture."""
        unseen = now - self.seen
        if unseen <= 0.0:
            return False
        if unseen > (COAST_S if self.hits >= CONFIRM_HITS else DOUBT_S):
            return True
        left, top, right, bottom = self.at[4:]
        x, y = (left + right) * 0.5, (top + bottom) * 0.5
        return not (0.0 <= x <= aspect and 0.0 <= y <= 1.0)

    def is_at(self, spot: _Spot) -> bool:
        """So near that it is the same person, seen twice."""
        pairs = zip(self.at[:4], spot.at[:4], strict=True)
        squared = sum((x - there) ** 2 for x, there in pairs)
        return squared / spot.width**2 <= 2 * TWIN**2


class Tracker:
    """Detections in, tracks out; call once per frame, also when nobody is there.

    ``aspect`` is the picture's width over its height.
    """

    def __init__(
        self, aspect: float = 4 / 3, new_id: Callable[[], int] = random_id
    ) -> None:
        self._aspect = aspect
        self._new_id = new_id
        self._time = 0.0
        self._people: list[_Person] = []
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
        spots = self._measure(detections)
        partner = _pair(self._people, spots)
        for person, row in zip(self._people, partner, strict=True):
            if row >= 0:
                person.correct(spots[row], now)
        gone = [person.is_gone(now, self._aspect) for person in self._people]
        if True in gone:
            ended += [p.id for p, out in zip(self._people, gone, strict=True) if out]
            partner = [r for r, out in zip(partner, gone, strict=True) if not out]
            stay = [p for p, out in zip(self._people, gone, strict=True) if not out]
            self._people = stay
        born = _born(self._people, partner, spots)
        if born:
            self._people += [self._begin(spots[row], now) for row in born]
            partner += born
        if born or ended:
            self._ids = np.array([each.id for each in self._people], np.int64)
        return self._tracks(partner, tuple(ended))

    def _measure(self, detections: Detections) -> list[_Spot]:
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
            at = (x * aspect, y, head_x, head_y, left, top, right, bottom)
            width = max(min(right - left, bottom - top), WIDTH_LEAST)
            spots.append(_Spot(at, width, score))
        return spots

    def _begin(self, spot: _Spot, now: float) -> _Person:
        return _Person(self._new_id(), spot.at, spot.width, now)

    def _tracks(self, partner: list[int], ended: tuple[int, ...]) -> Tracks:
        aspect = self._aspect
        numbers: list[float] = []
        for person in self._people:
            x, y, _, _, left, top, right, bottom = person.at
            numbers += (left / aspect, top, right / aspect, bottom, x / aspect, y)
        at = np.array(numbers, np.float32).reshape(-1, 6)
        confirmed = [person.hits >= CONFIRM_HITS for person in self._people]
        return Tracks(
            ids=self._ids,
            boxes=at[:, :4],
            feet=at[:, 4:],
            detection=np.array(partner, np.intp),
            confirmed=np.array(confirmed, np.bool_),
            ended=ended,
        )


def _pair(people: Sequence[_Person], spots: Sequence[_Spot]) -> list[int]:
    """For each track the row of its detection, or -1: first the surely seen ones."""
    sure: list[Choice] = []
    weak: list[Choice] = []
    for row, spot in enumerate(spots):
        x, y, head_x, head_y, *_ = spot.at
        doubt = DOUBT * max(0.0, TRUSTED - spot.score)
        if spot.score >= SURE:
            sure.append((x, y, head_x, head_y, doubt, row))
        elif spot.score >= WEAK:
            weak.append((x, y, head_x, head_y, doubt, row))
    sure.sort()
    partner = pair([person.wish(sure) for person in people], GATE)
    if weak:
        weak.sort()
        left = [
            index
            for index, row in enumerate(partner)
            if row < 0 and people[index].hits >= CONFIRM_HITS
        ]
        rows = pair([people[index].wish(weak) for index in left], GATE)
        for index, row in zip(left, rows, strict=True):
            partner[index] = row
    return partner


def _born(
    people: Sequence[_Person], partner: Sequence[int], spots: Sequence[_Spot]
) -> list[int]:
    """Detections that start a track: sure, nobody's, and not somebody's twin."""
    taken = set(partner)
    born = [
        row for row, spot in enumerate(spots) if spot.score >= BORN and row not in taken
    ]
    if not born:
        return born
    found = [p for p, row in zip(people, partner, strict=True) if row >= 0]
    born = [row for row in born if not any(each.is_at(spots[row]) for each in found)]
    born.sort(key=lambda row: -spots[row].score)
    return born[: TRACKS_LIMIT - len(people)]
