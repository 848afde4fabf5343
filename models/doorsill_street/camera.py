"""A camera over the door and a detector with measured faults: people in, boxes out.

camera  o───── looks down at TILT towards the door
        │ ╲
 height │   ╲        a person is a cylinder with a head; the detector's boxes are
        │     ╲      moved by jitter or dropped, and some are invented
────────┴──────╲──┼──────  floor
      inside     line    outside
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Detections
from doorsill_street.people import Behaviour, Floor

Array = NDArray[np.float64]
HEAD_M = 0.24  # width and height of a head, as drawn here


@dataclass(frozen=True, slots=True)
class Eye:
    """Where the camera hangs, and what it sees."""

    height: float = 3.5  # above the floor, m
    back: float = 3.2  # behind the door, on its inner side, m
    tilt: float = 50.0  # below the horizon, degrees
    field_of_view: float = 60.0  # from top to bottom, degrees
    aspect: float = 4 / 3  # width over height of the picture

    def project(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Floor metres to picture fractions, and the size of a metre there.

        ``x``, ``y`` and ``z`` are (n,): metres along the door, inwards and up. Gives x
        and y in 0..1 and a metre's size in picture heights, (n,) each.
        """
        sin, cos = math.sin(math.radians(self.tilt)), math.cos(math.radians(self.tilt))
        focal = 0.5 / math.tan(math.radians(self.field_of_view / 2))
        away, above = y - self.back, z - self.height
        depth = np.maximum(-away * cos - above * sin, 0.3)
        metre = focal / depth
        right = 0.5 - x * metre / self.aspect
        down = 0.5 + (away * sin - above * cos) * metre
        return right, down, metre

    def line(
        self, half_width: float
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """The door's line in the picture, in 0..1; IN is from its left to its right.

        ``half_width`` is that of the door, in metres.
        """
        ends = np.array([half_width, -half_width])
        x, y, _ = self.project(ends, np.zeros(2), np.zeros(2))
        (x0, x1), (y0, y1) = x.tolist(), y.tolist()
        return (x0, y0), (x1, y1)


@dataclass(frozen=True, slots=True)
class Noise:
    """What a detector does wrong whose faults are given, not measured."""

    missed: float = 0.03  # share of the people in the picture that it drops
    jitter: float = 0.03  # one standard deviation of a place, m
    memory: float = 0.5  # share of the last frame's jitter that remains
    false: float = 0.02  # invented boxes a frame
    score: float = 0.78  # mean score of a person
    score_spread: float = 0.12  # one standard deviation of a person's score


@dataclass(frozen=True, slots=True)
class Shapes:
    """People as the picture shows them, side by side, in fractions of it."""

    boxes: Array  # (n, 4) x0, y0, x1, y1
    heads: Array  # (n, 4) x0, y0, x1, y1
    feet: Array  # (n, 2) x, y
    metre: Array  # (n,) size of a metre at the feet, picture heights
    head_metre: Array  # (n,) size of a metre at the head, picture heights


MOUNTED = Eye()  # as the handbook asks: 3 m up or more, tilted by 45 degrees or more


class Detector:
    """A floor in, detections out; keeps each person's jitter from frame to frame."""

    def __init__(self, eye: Eye, random: np.random.Generator) -> None:
        self._eye = eye
        self._random = random
        self._jitter: dict[int, Array] = {}
        self._ghosts: list[tuple[float, Array]] = []  # when each ends (s), and its box

    def detect(self, floor: Floor, noise: Noise, now: float) -> Detections:
        """What the detector answers at ``now`` (s since the start)."""
        boxes, heads, feet, scores = self._people(floor, noise)
        ghosts = self._invent(noise, now)
        if ghosts:
            made = np.array(ghosts)
            middle = (made[:, 0] + made[:, 2]) / 2
            side = (made[:, 3] - made[:, 1]) * 0.08
            top = np.stack(
                [middle - side, made[:, 1], middle + side, made[:, 1] + 2 * side], 1
            )
            boxes, heads = np.concatenate([boxes, made]), np.concatenate([heads, top])
            feet = np.concatenate([feet, np.stack([middle, made[:, 3]], 1)])
            scores = np.append(scores, self._random.uniform(0.25, 0.75, len(made)))
        return Detections(
            boxes=np.clip(boxes, 0, 1).astype(np.float32),
            scores=scores.astype(np.float32),
            heads=heads.astype(np.float32),
            feet=np.clip(feet, 0, 1).astype(np.float32),
        )

    def _people(self, floor: Floor, noise: Noise) -> tuple[Array, Array, Array, Array]:
        count = len(floor.people)
        if not count:
            self._jitter.clear()
            return np.empty((0, 4)), np.empty((0, 4)), np.empty((0, 2)), np.empty(0)
        there = draw_shapes(self._eye, floor)
        self._shake(floor, noise, there)
        boxes, heads, feet = there.boxes, there.heads, there.feet
        middle_x = (boxes[:, 0] + boxes[:, 2]) / 2
        middle_y = (boxes[:, 1] + boxes[:, 3]) / 2
        seen = (middle_x > 0) & (middle_x < 1) & (middle_y > 0) & (middle_y < 1)
        seen &= self._random.random(count) > noise.missed
        scores = self._random.normal(noise.score, noise.score_spread, count)
        scores = np.clip(scores, 0.05, 0.99)
        return boxes[seen], heads[seen], feet[seen], scores[seen]

    def _shake(self, floor: Floor, noise: Noise, there: Shapes) -> None:
        """Move boxes, heads and feet, in place, by this frame's jitter."""
        serial = floor.serial.tolist()
        still = np.zeros(6)
        old = np.array([self._jitter.get(each, still) for each in serial])
        fresh = self._random.normal(0, 1, old.shape)
        new = noise.memory * old + (1 - noise.memory**2) ** 0.5 * fresh
        self._jitter = dict(zip(serial, new, strict=True))
        per = np.array([1 / self._eye.aspect, 1.0])
        size = (noise.jitter * there.metre)[:, None] * per
        foot, head, rim = new[:, :2] * size, new[:, 2:4] * size, new[:, 4:] * size
        feet, heads, boxes = there.feet, there.heads, there.boxes
        feet += foot
        heads += np.tile(head, 2)
        boxes[:, :2] += head + 0.5 * rim
        boxes[:, 2:] += foot - 0.5 * rim

    def _invent(self, noise: Noise, now: float) -> list[Array]:
        self._ghosts = [ghost for ghost in self._ghosts if ghost[0] >= now]
        for _ in range(int(self._random.poisson(noise.false))):
            tall = self._random.uniform(0.12, 0.5)
            wide = tall * self._random.uniform(0.3, 0.6) / self._eye.aspect
            x, y = self._random.uniform(0, 1 - wide), self._random.uniform(0, 1 - tall)
            stays = (
                self._random.exponential(0.6) if self._random.random() < 0.2 else 0.0
            )
            self._ghosts.append((now + stays, np.array([x, y, x + wide, y + tall])))
        return [box + self._random.normal(0, 0.004, 4) for _, box in self._ghosts]


def draw_shapes(eye: Eye, floor: Floor) -> Shapes:
    """Everybody on the floor as a picture shows them."""
    x, y = floor.at[:, 0], floor.at[:, 1]
    tall = np.array([person.height for person in floor.people])
    cart = np.array([person.behaviour is Behaviour.CART for person in floor.people])
    floor_x, floor_y, floor_m = eye.project(x, y, np.zeros_like(x))
    head_x, head_y, head_m = eye.project(x, y, tall - HEAD_M / 2)
    radius = np.where(cart, 0.36, 0.24) / eye.aspect
    left = np.minimum(floor_x - radius * floor_m, head_x - radius * head_m)
    right = np.maximum(floor_x + radius * floor_m, head_x + radius * head_m)
    ends = floor_y + 0.12 * floor_m, head_y - 0.13 * head_m
    boxes = np.stack([left, np.minimum(*ends), right, np.maximum(*ends)], 1)
    side = HEAD_M / 2 * head_m
    wide = side / eye.aspect
    heads = np.stack([head_x - wide, head_y - side, head_x + wide, head_y + side], 1)
    return Shapes(boxes, heads, np.stack([floor_x, floor_y], 1), floor_m, head_m)


def hidden(parts: Array, boxes: Array, metre: Array) -> Array:
    """(n,) share of each person's part that is behind the box of somebody nearer.

    ``parts`` and ``boxes`` are (n, 4) in 0..1; ``metre`` (n,) is larger for who is
    nearer.
    """
    if not len(parts):
        return np.empty(0)
    both = _both(parts, boxes)
    np.fill_diagonal(both, 0.0)
    nearer = metre[None] > metre[:, None]
    area = np.prod(parts[:, 2:] - parts[:, :2], axis=-1)
    share: Array = (both * nearer / area[:, None]).max(axis=1)
    return share


def _both(parts: Array, boxes: Array) -> Array:
    """(n, n) area that each part shares with each box."""
    low = np.maximum(parts[:, None, :2], boxes[None, :, :2])
    high = np.minimum(parts[:, None, 2:], boxes[None, :, 2:])
    area: Array = np.prod(np.maximum(high - low, 0.0), axis=-1)
    return area
