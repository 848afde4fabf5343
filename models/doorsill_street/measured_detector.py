"""A detector with the faults that ours was measured to have: people in, boxes out.

How well somebody is seen is one normal number: a part of it stays the same for that
person, the rest passes. The number's place in the normal distribution picks the score
from those that were measured for heads of that size, or hidden that far, where 0 is a
head that was not found. So a miss lasts as long as the number stays low. Of two answers
about one person the stronger stays, by the decoder's own rule.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from doorsill.models.manifest import HeadsDecode
from doorsill.values import Detections
from doorsill.vision.detect.heads import is_same_person
from doorsill_street.camera import HEAD_M, Eye, Shapes, draw_shapes, hidden
from doorsill_street.inventions import Inventions
from doorsill_street.measured import Measured
from doorsill_street.people import Floor

Array = NDArray[np.float64]


class MeasuredDetector:
    """A floor in, detections out; keeps how each person is seen between frames."""

    def __init__(self, eye: Eye, random: np.random.Generator) -> None:
        self._eye = eye
        self._random = random
        self._inventions = Inventions(eye.aspect, random)
        self._states: dict[int, tuple[Array, Array]] = {}  # what stays, what passes

    def detect(self, floor: Floor, noise: Measured, now: float) -> Detections:
        """What the detector answers at ``now`` (s since the start)."""
        there, serial = draw_shapes(self._eye, floor), floor.serial.tolist()
        found = self._people(serial, there, noise)
        found += self._inventions.invent(serial, there, noise, now)
        answers = np.array(found).reshape(-1, 11)
        table = answers[_choose(answers, noise, self._random)].astype(np.float32)
        boxes = np.clip(table[:, :4], 0, 1)
        return Detections(boxes, table[:, 10], table[:, 4:8], table[:, 8:10])

    def _people(self, serial: list[int], there: Shapes, noise: Measured) -> list[Array]:
        """(11,) for each: box, head, foot, score."""
        states = self._step(serial, noise)
        scores = _scores(there, states[:, 0], noise)
        off = states[:, 1:] * [each.size for each in noise.wobbles[1:]]
        places = _move(there, off * noise.shaken * HEAD_M, noise.blur, self._eye.aspect)
        return list(np.concatenate([*places, scores[:, None]], axis=1))

    def _step(self, serial: list[int], noise: Measured) -> Array:
        """(n, 7) normal numbers of this frame, one for each person and wobble."""
        wobbles = noise.wobbles
        steady = np.array([each.steady for each in wobbles])
        memory = np.array([each.memory for each in wobbles])
        fresh = self._random.normal(0, 1, (len(serial), 2, len(wobbles)))
        states = {}
        for each, (own, passing) in zip(serial, fresh, strict=True):
            if each in self._states:
                own, last = self._states[each]
                passing = memory * last + np.sqrt(1 - memory**2) * passing
            states[each] = own, passing
        self._states = states
        rows = [
            np.sqrt(steady) * own + np.sqrt(1 - steady) * passing
            for own, passing in states.values()
        ]
        return np.array(rows).reshape(-1, len(wobbles))


def _scores(there: Shapes, state: Array, noise: Measured) -> Array:
    """(n,) the score with which each person is seen, 0 for not at all."""
    if not len(state):
        return state
    share = [0.5 * math.erfc(-each / math.sqrt(2)) for each in state.tolist()]
    plain, partly = (
        np.array([np.interp(share, np.linspace(0, 1, len(row)), row) for row in rows])
        for rows in (noise.scores, noise.scores_hidden)
    )
    size = HEAD_M * there.head_metre
    cover = hidden(there.heads, there.boxes, there.metre)
    covers, found = (0.0, *noise.covers), []
    for k, (tall, part) in enumerate(zip(size.tolist(), cover.tolist(), strict=True)):
        clear = np.interp(tall, noise.sizes, plain[:, k])
        found.append(np.interp(part, covers, [clear, *partly[:, k]]))
    return np.array(found) - noise.fainter


def _move(
    there: Shapes, off: Array, blur: float, aspect: float
) -> tuple[Array, Array, Array]:
    """Boxes, heads and feet, moved by ``off`` (n, 6) in metres.

    The columns of ``off`` are head x and y, foot x and y, left side, right side.
    """
    per = np.array([1 / aspect, 1.0])
    behind = hidden(there.boxes, there.boxes, there.metre) >= 0.5
    blurred = np.where(behind, blur, 1.0) * there.metre
    head = off[:, :2] * there.head_metre[:, None] * per
    foot = off[:, 2:4] * blurred[:, None] * per
    sides = off[:, 4:] * there.metre[:, None] / aspect
    boxes = there.boxes.copy()
    boxes[:, [0, 2]] += sides
    boxes[:, 1] += head[:, 1]
    boxes[:, 3] += foot[:, 1]
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.01)
    return boxes, there.heads + np.tile(head, 2), there.feet + foot


def _choose(table: Array, noise: Measured, random: np.random.Generator) -> list[int]:
    """The rows that the decoder gives: in the picture, sure enough, and one each."""
    middle = (table[:, 4:6] + table[:, 6:8]) / 2  # of the head
    seen = ((middle > 0) & (middle < 1)).all(axis=1)
    seen &= table[:, 10] >= noise.threshold
    seen &= random.random(len(table)) >= noise.dropped
    rows: list[int] = []
    rule = HeadsDecode(noise.threshold)
    people = table.tolist()
    for row in np.argsort(-table[:, 10]).tolist():
        if not seen[row]:
            continue
        box, head = people[row][:4], people[row][4:8]
        others = (people[each] for each in rows)
        if not any(is_same_person(o[4:8], o[:4], head, box, rule) for o in others):
            rows.append(row)
    return rows
