"""Boxes that a detector invents: where nobody is, and a second one on somebody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doorsill_street.camera import HEAD_M, Shapes
from doorsill_street.measured import FRAME_S, Invention, Measured

Array = NDArray[np.float64]
FLICKER = 0.04  # one standard deviation of the score from frame to frame
WOBBLE = 0.004  # one standard deviation of the place, fractions of the picture


@dataclass(frozen=True, slots=True)
class _Ghost:
    until: float  # when it ends, s
    score: float
    host: int  # serial of the person on whom it sits, or -1
    place: Array  # (10,) box, head and foot, or (4,) offsets from the host, in heads


class Inventions:
    """The boxes that are invented; some stay for a while."""

    def __init__(self, aspect: float, random: np.random.Generator) -> None:
        self._aspect = aspect
        self._random = random
        self._ghosts: list[_Ghost] = []

    def invent(
        self, serial: list[int], there: Shapes, noise: Measured, now: float
    ) -> Iterator[Array]:
        """(11,) for each invention at ``now`` (s): box, head, foot, score."""
        self._ghosts = [each for each in self._ghosts if each.until >= now]
        for _ in range(self._births(noise.elsewhere, noise.invents)):
            self._add(noise.elsewhere, now, -1, self._nobody(noise.elsewhere))
        for host in serial:
            for _ in range(self._births(noise.on_people)):
                mean, spread = np.array(noise.on_people.off).T
                off = self._random.normal(mean, spread)
                self._add(noise.on_people, now, host, off)
        rows = {each: row for row, each in enumerate(serial)}
        for ghost in self._ghosts:
            if ghost.host < 0:
                place = ghost.place
            elif ghost.host in rows:
                place = self._twin(ghost.place, there, rows[ghost.host])
            else:
                continue
            score = ghost.score + self._random.normal(0, FLICKER)
            score = max(
                score, noise.threshold
            )  # a stay was measured without gaps in it
            yield np.append(place + self._random.normal(0, WOBBLE, 10), score)

    def _births(self, made: Invention, times: float = 1.0) -> int:
        mean = max(_mean(made.stays_s), FRAME_S)
        return int(self._random.poisson(times * made.rate * FRAME_S / mean))

    def _add(self, made: Invention, now: float, host: int, place: Array) -> None:
        stays, score = self._draw(made.stays_s), self._draw(made.scores)
        self._ghosts.append(_Ghost(now + stays - FRAME_S, score, host, place))

    def _draw(self, steps: tuple[float, ...]) -> float:
        places = np.linspace(0, 1, len(steps))
        return float(np.interp(self._random.random(), places, steps))

    def _nobody(self, made: Invention) -> Array:
        """One of the places in which something was invented."""
        return np.array(made.places[self._random.integers(len(made.places))])

    def _twin(self, off: Array, there: Shapes, row: int) -> Array:
        head_m, foot_m = float(there.head_metre[row]), float(there.metre[row])
        per = HEAD_M * np.array([1 / self._aspect, 1.0])
        head_off, foot_off = off[:2] * per * head_m, off[2:] * per * foot_m
        head = there.heads[row] + np.tile(head_off, 2)
        foot = there.feet[row] + foot_off
        half = (there.boxes[row, 2] - there.boxes[row, 0]) / 2
        middle, top = (head[0] + head[2] + 2 * foot[0]) / 4, head[1]
        bottom = max(foot[1], top + 0.02)
        return np.array([middle - half, top, middle + half, bottom, *head, *foot])


def _mean(steps: tuple[float, ...]) -> float:
    """Mean of what is drawn between evenly spaced quantiles: the ends count half."""
    return (sum(steps) - (steps[0] + steps[-1]) / 2) / (len(steps) - 1)
