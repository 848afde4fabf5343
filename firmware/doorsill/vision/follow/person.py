"""One track: where a head is and how it moves, and what lies below it.

head o ──► speed          the head is seen well and leads; foot and box hang
     |                    below it at a distance that changes slowly, for a
foot +                    detector guesses them
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

MEASURED = 0.1**2  # variance of a head's place, body widths squared
ACCELERATION = 2.0  # white noise, squared body widths per s cubed
SPEED = 3.0**2  # variance of a stranger's speed, squared body widths per s squared
REACH = 0.9  # body widths between a predicted head and its detection at most
FOOT_LIMIT = 2.0  # what a foot in the wrong place costs at most
BELOW_GAIN = 0.12  # how fast the foot's place below the head is learned
UNSURE = 1.5  # cost of a place that is e times as uncertain
GATE = 7.0  # half the squared Mahalanobis distance and the other costs at most
LOOSE = 2.0  # the head's distance alone, where nobody else is in question
CONFIRM_HITS, CONFIRM_SCORES = 3, 1.9  # detections, and the sum of their scores
DOUBT_S = 0.4  # unseen for longer, an unconfirmed track ends,
EXIT_S = 0.2  # and one outside the picture: the next one there is somebody else
EDGE = 1.0  # body widths from the picture's edge within which somebody walks out
LEFT_S = 0.8  # unseen for longer, who was not that near may still be inside
COAST_S = 1.5  # a confirmed one
TWIN = 0.3  # body widths: a detection nearer to a track's own is no new person
WIDTH_GAIN = 0.2
CALM_S = 0.4  # over which the speed is averaged that somebody had before a meeting


@dataclass(slots=True)
class Spot:
    """One detection, in picture heights."""

    x: float  # the middle of the head
    y: float
    below: tuple[float, ...]  # foot and box corners, from the middle of the head
    width: float
    score: float


# Head x, y, foot x, y of a detection, what it costs for its low score, and its row.
Choice = tuple[float, float, float, float, float, int]


@dataclass(slots=True)
class Person:
    """One track: a head's place and speed with one covariance, in body widths and s."""

    id: int
    x: float
    y: float
    below: tuple[float, ...]  # as in a Spot
    width: float
    seen: float  # when it was last
    speed_x: float = 0.0  # picture heights a second
    speed_y: float = 0.0
    calm_x: float = 0.0  # what it was before somebody came near
    calm_y: float = 0.0
    met: int = 0  # meetings that are not settled
    hits: int = 1
    scores: float = 0.0  # sum of them
    confirmed: bool = False
    p00: float = MEASURED
    p01: float = 0.0
    p11: float = SPEED

    def predict(self, step: float) -> None:
        """Go on for ``step`` seconds at the same speed."""
        p01, p11 = self.p01, self.p11
        self.p00 += step * (2 * p01 + step * (p11 + step * (ACCELERATION / 3)))
        self.p01 = p01 + step * (p11 + step * (ACCELERATION / 2))
        self.p11 = p11 + step * ACCELERATION
        self.x += step * self.speed_x
        self.y += step * self.speed_y

    def wish(
        self, choices: Sequence[Choice], foot: float, loose: bool = False
    ) -> list[tuple[float, int]]:
        """Cost and row of the detections that may be this person.

        ``choices`` are sorted, so that those within reach lie side by side.
        Half the squared Mahalanobis distance of the head and, unless ``loose``, as far
        as ``foot`` its variance lets it be believed, of the foot, and the log of the
        head's scale: a track that is sure of its place is preferred to one that has
        not been seen for a while and could be anywhere.
        """
        x, y, width = self.x, self.y, self.width
        foot_x, foot_y = x + self.below[0], y + self.below[1]
        reach = REACH * width
        first = bisect(choices, (x - reach,))
        last = bisect(choices, (x + reach,))
        spread, area = self.p00 + MEASURED, width * width
        unsure, weight = UNSURE * log(spread / MEASURED), 0.5 / (spread * area)
        foot_weight = 0.5 / ((self.p00 + foot) * area)
        limit, found = LOOSE if loose else GATE, []
        for head_x, head_y, toe_x, toe_y, doubt, row in choices[first:last]:
            off_x, off_y = x - head_x, y - head_y
            squared = off_x * off_x + off_y * off_y
            cost = squared * weight
            if not loose:
                off_x, off_y = foot_x - toe_x, foot_y - toe_y
                stray = foot_weight * (off_x * off_x + off_y * off_y)
                cost += min(stray, FOOT_LIMIT) + unsure + doubt
            if squared <= reach * reach and cost < limit:
                found.append((cost, row))
        return found

    def correct(self, spot: Spot, now: float, share: float) -> None:
        """Seen at ``spot``; ``share`` of where that is goes by the foot."""
        p00, p01 = self.p00, self.p01
        gain = 1.0 / (p00 + MEASURED)
        near, far = gain * p00, gain * p01
        off_x = spot.x - self.x + share * (spot.below[0] - self.below[0])
        off_y = spot.y - self.y + share * (spot.below[1] - self.below[1])
        self.x += near * off_x
        self.y += near * off_y
        self.speed_x += far * off_x
        self.speed_y += far * off_y
        self.p11 -= far * p01
        self.p01 = p01 - near * p01
        self.p00 = p00 - near * p00
        learn = max(BELOW_GAIN, 1.0 / (self.hits + 1))
        foot_x, foot_y, x0, y0, x1, y1 = self.below
        to_x, to_y, to_x0, to_y0, to_x1, to_y1 = spot.below
        self.below = (
            *(foot_x + learn * (to_x - foot_x), foot_y + learn * (to_y - foot_y)),
            *(x0 + learn * (to_x0 - x0), y0 + learn * (to_y0 - y0)),
            *(x1 + learn * (to_x1 - x1), y1 + learn * (to_y1 - y1)),
        )
        self.width += WIDTH_GAIN * (spot.width - self.width)
        if not self.met:
            learn = min(1.0, (now - self.seen) / CALM_S)
            self.calm_x += learn * (self.speed_x - self.calm_x)
            self.calm_y += learn * (self.speed_y - self.calm_y)
        self.seen = now
        self.hits += 1
        self.scores += spot.score
        self.confirmed = self.hits >= CONFIRM_HITS and self.scores >= CONFIRM_SCORES

    def is_gone(self, now: float, aspect: float) -> bool:
        """Unseen for too long, which outside the picture is soon."""
        unseen = now - self.seen
        if unseen <= EXIT_S:
            return False
        if self.is_outside(aspect) or unseen > COAST_S:
            return True
        return not self.confirmed and unseen > DOUBT_S

    def has_left(self, now: float, aspect: float) -> bool:
        """Whether somebody outside was last seen on the way out, near the edge."""
        unseen = now - self.seen
        x, y = self.x - unseen * self.speed_x, self.y - unseen * self.speed_y
        near = EDGE * self.width
        at_edge = not (near < x < aspect - near and near < y < 1.0 - near)
        return (at_edge or unseen <= LEFT_S) and self.is_outside(aspect)

    def is_outside(self, aspect: float) -> bool:
        """Whether the head is outside the picture."""
        return not (0.0 <= self.x <= aspect and 0.0 <= self.y <= 1.0)

    def is_at(self, spot: Spot) -> bool:
        """So near that it is the same person, seen twice."""
        squared = (self.x - spot.x) ** 2 + (self.y - spot.y) ** 2
        return squared <= (TWIN * spot.width) ** 2
