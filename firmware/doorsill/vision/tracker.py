"""Follow people from frame to frame by motion alone.

    Detections, now ─► predict ─► pair (surely seen) ─► pair (barely seen) ─► Tracks
                                      │                                         ▲
                                      └─ left over, surely seen: a new track ───┘

SORT (Bewley et al. 2016) with a constant-velocity Kalman filter and a second pass for
weak detections (ByteTrack, Zhang et al. 2022). A person is eight numbers: the foot, the
middle of the head, and the box. All eight share one variance, in body widths, so that
a track needs one 2x2 covariance, and all tracks lie side by side in a few arrays.

Time is an argument: nothing here depends on a frame rate. No appearance is looked at;
ids are random, and neither an id nor anything else outlives its track.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Detections, Scores, Tracks
from doorsill.vision.assignment import assign

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

SURE, WEAK, BORN = 0.5, 0.15, 0.5  # scores: first pass, second pass, new tracks
MEASURED = 0.15**2  # variance of a detection, body widths squared
ACCELERATION = 3.0  # white noise, squared body widths per s cubed
SPEED = 3.0**2  # variance of a stranger's speed, squared body widths per s squared
REACH = 0.8  # body widths between a prediction and its detection at most
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


class Tracker:
    """Detections in, tracks out; call once per frame, also when nobody is there.

    ``aspect`` is the picture's width over its height.
    """

    def __init__(
        self, aspect: float = 4 / 3, new_id: Callable[[], int] = random_id
    ) -> None:
        self._aspect = aspect
        self._scale = np.array([aspect, 1.0] * 4)
        self._new_id = new_id
        self._time = 0.0
        self._ids = np.empty(0, np.int64)
        self._at = np.empty((0, 8))  # foot, head, box corners, in picture heights
        self._speed = np.empty((0, 8))
        self._spread = np.empty((3, 0))  # p00, p01, p11 in body widths, s
        self._width = np.empty(0)
        self._seen = np.empty(0)
        self._hits = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def update(self, detections: Detections, now: float) -> Tracks:
        """Everybody being followed after this frame; ``now`` is monotonic seconds."""
        step, self._time = now - self._time, now
        ended: list[int] = []
        if len(self._ids):
            if 0.0 <= step <= STEP_LIMIT_S:
                self._predict(step)
            else:
                ended += self._drop(np.ones(len(self._ids), np.bool_))
        measured, width = self._measure(detections)
        partner = self._pair(measured, detections.scores)
        if len(partner):
            self._correct(partner, measured, width, now)
            gone = self._gone(now)
            if gone.any():
                ended += self._drop(gone)
                partner = partner[~gone]
        born = self._born(partner, measured, width, detections.scores)
        if len(born):
            self._begin(measured[born], width[born], now)
            partner = np.concatenate([partner, born])
        return self._tracks(partner, tuple(ended))

    def _measure(self, detections: Detections) -> tuple[Array, Array]:
        measured = np.empty((len(detections), 8))
        if len(detections):
            heads = detections.heads
            measured[:, :2] = detections.feet
            measured[:, 2:4] = (heads[:, :2] + heads[:, 2:]) * 0.5
            measured[:, 4:] = detections.boxes
            measured *= self._scale
        width = np.minimum(
            measured[:, 6] - measured[:, 4], measured[:, 7] - measured[:, 5]
        )
        return measured, np.maximum(width, WIDTH_LEAST)

    def _predict(self, step: float) -> None:
        p00, p01, p11 = self._spread
        p00 += step * (2 * p01 + step * (p11 + step * (ACCELERATION / 3)))
        p01 += step * (p11 + step * (ACCELERATION / 2))
        p11 += step * ACCELERATION
        self._at += step * self._speed

    def _pair(self, measured: Array, scores: Scores) -> Rows:
        """For each track the row of its detection, or -1."""
        partner = np.full(len(self._ids), -1, np.intp)
        if not len(partner) or not len(measured):
            return partner
        cost = self._costs(measured)
        cost += DOUBT * np.maximum(0.0, TRUSTED - scores)
        sure = scores >= SURE
        if sure.all():
            rows, columns = assign(cost, GATE)
            partner[rows] = columns
            return partner
        chosen = np.flatnonzero(sure)
        rows, columns = assign(cost[:, chosen], GATE)
        partner[rows] = chosen[columns]
        left = np.flatnonzero((partner < 0) & (self._hits >= CONFIRM_HITS))
        weak = np.flatnonzero(~sure & (scores >= WEAK))
        if len(left) and len(weak):
            rows, columns = assign(cost[np.ix_(left, weak)], GATE)
            partner[left[rows]] = weak[columns]
        return partner

    def _costs(self, measured: Array) -> Array:
        """Squared Mahalanobis distance of foot and head, and the log of its scale.

        The logarithm makes a track that is sure of its place preferred to one that
        has not been seen for a while and could be anywhere.
        """
        off = self._at[:, None, :4] - measured[None, :, :4]
        squared = np.einsum("nmk,nmk->nm", off, off)
        spread = self._spread[0] + MEASURED
        area = self._width * self._width
        cost: Array = squared * (0.5 / (spread * area))[:, None]
        cost += np.log(spread / MEASURED)[:, None]
        cost[squared > (2 * REACH**2 * area)[:, None]] = np.inf
        return cost

    def _correct(
        self, partner: Rows, measured: Array, width: Array, now: float
    ) -> None:
        seen = partner >= 0
        if not seen.any():
            return
        p00, p01, p11 = self._spread
        gain = seen / (p00 + MEASURED)
        near, far = gain * p00, gain * p01
        off = measured[partner] - self._at
        self._at += near[:, None] * off
        self._speed += far[:, None] * off
        p11 -= far * p01
        p01 -= near * p01
        p00 -= near * p00
        self._width += (WIDTH_GAIN * seen) * (width[partner] - self._width)
        self._seen[seen] = now
        self._hits += seen

    def _gone(self, now: float) -> Mask:
        """Unseen for too long, or unseen and out of the picture."""
        unseen = now - self._seen
        if unseen.max() <= 0.0:
            return np.zeros(len(unseen), np.bool_)
        gone: Mask = unseen > np.where(self._hits >= CONFIRM_HITS, COAST_S, DOUBT_S)
        x = (self._at[:, 4] + self._at[:, 6]) * 0.5
        y = (self._at[:, 5] + self._at[:, 7]) * 0.5
        out = (x < 0) | (x > self._aspect) | (y < 0) | (y > 1)
        return gone | (out & (unseen > 0.0))

    def _born(
        self, partner: Rows, measured: Array, width: Array, scores: Scores
    ) -> Rows:
        """Detections that start a track: sure, nobody's, and not somebody's twin."""
        free = scores >= BORN
        free[partner[partner >= 0]] = False
        born = np.flatnonzero(free)
        if not len(born):
            return born
        if len(partner):
            off = self._at[:, None, :4] - measured[None, born, :4]
            apart = np.einsum("nmk,nmk->nm", off, off) / width[born] ** 2
            apart[partner < 0] = np.inf
            born = born[apart.min(axis=0) > 2 * TWIN**2]
        room = TRACKS_LIMIT - len(partner)
        return born[np.argsort(-scores[born], kind="stable")][:room]

    def _begin(self, measured: Array, width: Array, now: float) -> None:
        new = len(measured)
        ids = np.array([self._new_id() for _ in range(new)], np.int64)
        spread = np.array([[MEASURED], [0.0], [SPEED]]).repeat(new, axis=1)
        self._ids = np.concatenate([self._ids, ids])
        self._at = np.concatenate([self._at, measured])
        self._speed = np.concatenate([self._speed, np.zeros((new, 8))])
        self._spread = np.concatenate([self._spread, spread], axis=1)
        self._width = np.concatenate([self._width, width])
        self._seen = np.concatenate([self._seen, np.full(new, now)])
        self._hits = np.concatenate([self._hits, np.ones(new, np.int64)])

    def _drop(self, gone: Mask) -> list[int]:
        """Forget these tracks; the ids that ended."""
        ended: list[int] = self._ids[gone].tolist()
        stay = ~gone
        self._ids, self._at = self._ids[stay], self._at[stay]
        self._speed, self._spread = self._speed[stay], self._spread[:, stay]
        self._width, self._seen = self._width[stay], self._seen[stay]
        self._hits = self._hits[stay]
        return ended

    def _tracks(self, partner: Rows, ended: tuple[int, ...]) -> Tracks:
        at = (self._at / self._scale).astype(np.float32)
        return Tracks(
            ids=self._ids,
            boxes=at[:, 4:],
            feet=at[:, :2],
            detection=partner,
            confirmed=self._hits >= CONFIRM_HITS,
            ended=ended,
        )
