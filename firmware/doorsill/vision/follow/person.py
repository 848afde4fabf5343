"""One track: where a head is and how it moves, and what lies below it.

head o ──► speed          the head is seen well and leads; foot and box hang
     |                    below it at a distance that changes slowly, for a
foot +                    detector guesses them

Places and speeds are in picture heights (x to the right, y down). Variances and limits
are in body widths, so that they hold for people near to the camera and far from it.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from doorsill.vision.geometry import Box, overlap

HEAD_VARIANCE = 0.1**2  # of a detected head's place, squared body widths
ACCELERATION = 2.0  # white noise of the motion, squared body widths per s cubed
SPEED_VARIANCE = 3.0**2  # of a new track's speed, squared body widths per s squared
HEAD_REACH = 0.9  # from a predicted head to its detection at most, body widths
FOOT_COST_LIMIT = 2.0  # cost of a foot in the wrong place at most
SPREAD_COST = 1.5  # cost of a place whose variance is e times as large
COST_LIMIT = 7.0  # a detection that costs this much is not taken for the track
LOOSE_COST_LIMIT = 2.0  # COST_LIMIT where only the distance of the heads is weighed
CONFIRM_HITS = 3  # detections less misses, the first one included, that confirm a track
CONFIRM_SCORES = 1.9  # least sum of their scores, the first one not included
EXIT_S = 0.2  # a track outside the picture ends when unseen for longer than this
DOUBT_S = 0.4  # an unconfirmed track ends when unseen for longer than this
COAST_S = 1.5  # a confirmed track ends when unseen for longer than this
LEFT_S = 0.8  # a track that coasts out of the picture within this time has left
EXIT_MARGIN = 1.0  # a track last seen this near to the edge has left, body widths
TWIN_REACH = 0.3  # a detection nearer to a track's own is no new person, body widths
TWIN_OVERLAP = 0.6  # nor is one whose box and a track's overlap more than this
BELOW_GAIN = 0.12  # share of a new offset of foot and box that is learned, at least
WIDTH_GAIN = 0.2  # share of a new width that is learned
PICTURES = 2**64 - 1  # a 1 for each picture that is remembered of a track
WALK_REACH = 1.5  # who is this far from where they rested has walked, body widths
CALM_S = 0.4  # time constant of the speed that somebody had before a meeting


class Below(NamedTuple):
    """The foot and the corners of the box, as offsets from the middle of the head."""

    foot_x: float
    foot_y: float
    left: float
    top: float
    right: float
    bottom: float

    def box(self, x: float, y: float) -> Box:
        """The box below a head whose middle is at x, y."""
        return x + self.left, y + self.top, x + self.right, y + self.bottom

    def learn(self, seen: Below, gain: float) -> Below:
        """These offsets, moved by the share ``gain`` towards those that were seen."""
        return Below(
            self.foot_x + gain * (seen.foot_x - self.foot_x),
            self.foot_y + gain * (seen.foot_y - self.foot_y),
            self.left + gain * (seen.left - self.left),
            self.top + gain * (seen.top - self.top),
            self.right + gain * (seen.right - self.right),
            self.bottom + gain * (seen.bottom - self.bottom),
        )


@dataclass(slots=True)
class Sighting:
    """One detection, in picture heights."""

    x: float  # of the middle of the head
    y: float  # of the middle of the head
    below: Below
    width: float  # of the body
    score: float  # 0 to 1


# Head x, y, foot x, y of a detection, the cost of its low score, and its row. A tuple,
# because the order of the heads from left to right is then the order of the tuples.
Choice = tuple[float, float, float, float, float, int]


@dataclass(slots=True)
class Person:
    """One track: a head's place and speed, with one covariance for x and for y."""

    id: int
    x: float  # of the middle of the head, picture heights
    y: float  # of the middle of the head, picture heights
    below: Below  # picture heights
    width: float  # of the body, picture heights
    seen: float  # monotonic s of the last detection
    speed_x: float = 0.0  # picture heights a second
    speed_y: float = 0.0  # picture heights a second
    calm_x: float = 0.0  # speed before somebody came near, picture heights a second
    calm_y: float = 0.0  # speed before somebody came near, picture heights a second
    met: int = 0  # meetings that are not settled
    hits: int = 1  # detections, the first one included
    scores: float = 0.0  # sum of the detections' scores, the first one not included
    misses: int = 0  # frames without a detection
    confirmed: bool = False
    began: float = 0.0  # monotonic s of the first detection
    entered: bool = False  # whether the track began at the edge of the picture
    rest_x: float = 0.0  # of the head when it had last walked, picture heights
    rest_y: float = 0.0  # of the head when it had last walked, picture heights
    rested: float = 0.0  # when that was, monotonic s
    walked: bool = False  # whether it has ever walked
    thing: bool = False  # whether it stands where a thing is known to stand
    pictures: int = 1  # 1 for each in which it was found, 0 for each other; newest last
    p00: float = HEAD_VARIANCE  # variance of the place, squared body widths
    p01: float = 0.0  # covariance of place and speed, squared body widths per s
    p11: float = SPEED_VARIANCE  # of the speed, squared body widths per s squared

    def predict(self, step: float) -> None:
        """Move on for ``step`` seconds at the same speed."""
        p01, p11 = self.p01, self.p11
        self.p00 += step * (2 * p01 + step * (p11 + step * (ACCELERATION / 3)))
        self.p01 = p01 + step * (p11 + step * (ACCELERATION / 2))
        self.p11 = p11 + step * ACCELERATION
        self.x += step * self.speed_x
        self.y += step * self.speed_y

    def weigh(
        self, choices: Sequence[Choice], foot_variance: float, loose: bool = False
    ) -> list[tuple[float, int]]:
        """Cost and row of the detections that may be this person.

        ``choices`` are sorted, so that those within reach lie side by side. The cost is
        half the squared Mahalanobis distance of the head. Unless ``loose``, the foot's
        is added, as far as ``foot_variance`` (squared body widths) lets it be believed,
        and the log of the variance of the head's place: a track that is sure of its
        place is preferred to one that was not seen for a while and could be anywhere.
        """
        x, y, width = self.x, self.y, self.width
        foot_x, foot_y = x + self.below.foot_x, y + self.below.foot_y
        reach = HEAD_REACH * width
        first = bisect(choices, (x - reach,))
        last = bisect(choices, (x + reach,))
        variance, area = self.p00 + HEAD_VARIANCE, width * width
        spread = SPREAD_COST * log(variance / HEAD_VARIANCE)
        head_weight = 0.5 / (variance * area)
        foot_weight = 0.5 / ((self.p00 + foot_variance) * area)
        limit = LOOSE_COST_LIMIT if loose else COST_LIMIT
        found = []
        for head_x, head_y, toe_x, toe_y, doubt, row in choices[first:last]:
            off_x, off_y = x - head_x, y - head_y
            squared = off_x * off_x + off_y * off_y
            cost = squared * head_weight
            if not loose:
                off_x, off_y = foot_x - toe_x, foot_y - toe_y
                stray = foot_weight * (off_x * off_x + off_y * off_y)
                cost += min(stray, FOOT_COST_LIMIT) + spread + doubt
            if squared <= reach * reach and cost < limit:
                found.append((cost, row))
        return found

    def correct(self, sighting: Sighting, now: float, foot_share: float) -> None:
        """Take in what was seen at ``now`` (monotonic s).

        The correction of the place is that of the head and ``foot_share`` of that of
        the foot, relative to the head.
        """
        p00, p01 = self.p00, self.p01
        gain = 1.0 / (p00 + HEAD_VARIANCE)
        place_gain, speed_gain = gain * p00, gain * p01
        seen, below = sighting.below, self.below
        off_x = sighting.x - self.x + foot_share * (seen.foot_x - below.foot_x)
        off_y = sighting.y - self.y + foot_share * (seen.foot_y - below.foot_y)
        self.x += place_gain * off_x
        self.y += place_gain * off_y
        self.speed_x += speed_gain * off_x
        self.speed_y += speed_gain * off_y
        self.p11 -= speed_gain * p01
        self.p01 = p01 - place_gain * p01
        self.p00 = p00 - place_gain * p00
        self.below = below.learn(seen, max(BELOW_GAIN, 1.0 / (self.hits + 1)))
        self.width += WIDTH_GAIN * (sighting.width - self.width)
        if not self.met:
            learn = min(1.0, (now - self.seen) / CALM_S)
            self.calm_x += learn * (self.speed_x - self.calm_x)
            self.calm_y += learn * (self.speed_y - self.calm_y)
        self.seen = now
        self.hits += 1
        self.pictures = (self.pictures << 1 | 1) & PICTURES
        self.scores += sighting.score
        if not self.confirmed:
            self.confirmed = self._is_believed()

    def miss(self) -> None:
        """Take in that this person was not found in a picture."""
        self.misses += 1
        self.pictures = self.pictures << 1 & PICTURES

    def rest(self, now: float) -> None:
        """Take in that this person walked until ``now``, monotonic s: is no thing."""
        self.rest_x, self.rest_y, self.rested = self.x, self.y, now
        self.walked, self.thing = True, False

    def has_walked(self) -> bool:
        """Whether this track is so far from where it rested that it has walked."""
        reach = WALK_REACH * self.width
        x, y = self.x - self.rest_x, self.y - self.rest_y
        return x * x + y * y > reach * reach

    def move_to(self, other: Person) -> None:
        """Go on from the place, the speed and the looks of another track."""
        self.x, self.y, self.width = other.x, other.y, other.width
        self.speed_x, self.speed_y = other.speed_x, other.speed_y
        self.p00, self.p01, self.p11 = other.p00, other.p01, other.p11
        self.below, self.seen = other.below, other.seen

    def _is_believed(self) -> bool:
        """Whether a new track is somebody: false boxes come here and there.

        Somebody whom the detector sees in three pictures of four is soon seen far more
        often than missed; a track of false boxes, one here and one there, never is.
        """
        enough = self.hits - self.misses >= CONFIRM_HITS
        return enough and self.scores >= CONFIRM_SCORES

    def is_gone(self, now: float, aspect: float) -> bool:
        """Whether the track ends at ``now``; outside the picture it ends sooner.

        ``aspect`` is the picture's width over its height, here and below.
        """
        unseen = now - self.seen
        if unseen <= EXIT_S:
            return False
        if self.is_outside(aspect) or unseen > COAST_S:
            return True
        return not self.confirmed and unseen > DOUBT_S

    def has_left(self, now: float, aspect: float) -> bool:
        """Whether the track is outside, and was last seen near the edge or just now."""
        unseen = now - self.seen
        x, y = self.x - unseen * self.speed_x, self.y - unseen * self.speed_y
        near = EXIT_MARGIN * self.width
        at_edge = not (near < x < aspect - near and near < y < 1.0 - near)
        return (at_edge or unseen <= LEFT_S) and self.is_outside(aspect)

    def is_outside(self, aspect: float) -> bool:
        """Whether the head is outside the picture."""
        return not (0.0 <= self.x <= aspect and 0.0 <= self.y <= 1.0)

    def is_at(self, sighting: Sighting) -> bool:
        """Whether a detection is so near that it is the same person, seen twice.

        Near to the camera a second head may be found far from the first; the boxes of
        the whole person are nearly the same.
        """
        squared = (self.x - sighting.x) ** 2 + (self.y - sighting.y) ** 2
        if squared <= (TWIN_REACH * sighting.width) ** 2:
            return True
        box = sighting.below.box(sighting.x, sighting.y)
        return overlap(self.below.box(self.x, self.y), box) > TWIN_OVERLAP
