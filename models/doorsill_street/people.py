"""People who walk over a floor, seeded, each with a reason; and what truly happened.

      y  metres from the door, inside is positive
      │      inside          ·  goal
    0 ┼─────── line ───────  x metres along the door
      │      outside         ·  start

A person follows a route of goals at a speed of their own, keeps off others, and sways.
The truth is a late count: what each person did in the end, at the time when they were
last at the line. Somebody who turns back counts 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Direction

Array = NDArray[np.float64]
Goal = tuple[float, float, float]  # x, y, seconds to stay there

DOOR_M = 4.0  # width of the door
WALL_M = DOOR_M / 2 - 0.3  # people walk this far from the door's middle at most
OUTSIDE_M = -3.4  # y where people outside come from and go to
INSIDE_M = 4.2  # y where people inside come from and go to
PERSONAL_M = 0.75  # people who are nearer to each other than this give way
BODY_M = 0.42  # people who are nearer to each other than this touch
ARRIVED_M = 0.25  # somebody nearer to a goal than this has arrived
AT_LINE_M = 0.3  # somebody nearer to the line than this is at the line
REACT_S = 0.35  # time constant with which a walk becomes the one that is wanted
SWAY = 0.25  # one standard deviation of the swaying, m/s


class Behaviour(Enum):
    """Why somebody is at the door."""

    SINGLE = "single"
    PAIR = "side by side"
    GROUP = "group"
    U_TURN = "U-turn"
    TURN_AWAY = "turns before the line"
    LOITER = "loiters on the line"
    CART = "with a cart"
    RUNNER = "runs"
    CROWD = "dense two-way crowd"


@dataclass(frozen=True, slots=True)
class TrueCrossing:
    """Somebody went over the line in the end, maybe after lingering there."""

    since: float  # when that person first changed sides, s
    time: float  # when that person was last at the line, s
    direction: Direction
    behaviour: Behaviour


@dataclass(slots=True)
class Person:
    """A plan; positions lie in the arrays of :class:`Floor`."""

    behaviour: Behaviour
    route: list[Goal]  # what is left of it
    speed: float  # m/s
    height: float  # m
    party: int  # people of one party hardly give way to each other
    wait: float = 0.0  # at this goal so far, s
    changes: list[tuple[float, int]] = field(default_factory=list)  # s; 1 in, -1 out
    at_line: float = 0.0  # when they were last at the line, s


class Floor:
    """Everybody who is near the door, side by side; ``step`` lets time pass."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self.people: list[Person] = []
        self.at = np.empty((0, 2))  # m
        self.speed = np.empty((0, 2))  # m/s
        self.sway = np.empty((0, 2))  # m/s
        self.serial = np.empty(0, np.int64)  # number of each person, in order of entry
        self._next = 0
        self.truth: list[TrueCrossing] = []

    def enter(self, person: Person, start: tuple[float, float]) -> None:
        """Put somebody at ``start`` (x, y in m), already walking."""
        goal = np.array(person.route[0][:2], np.float64)
        way = goal - start
        way *= person.speed / max(float(np.hypot(*way)), 0.1)
        self.people.append(person)
        self.at = np.concatenate([self.at, [start]])
        self.speed = np.concatenate([self.speed, [way]])
        self.sway = np.concatenate([self.sway, np.zeros((1, 2))])
        self.serial = np.append(self.serial, self._next)
        self._next += 1

    def step(self, now: float, seconds: float) -> None:
        """Walk on by ``seconds`` until ``now`` (s); people who have arrived leave."""
        if not self.people:
            return
        inside = self.at[:, 1] > 0
        wanted = self._wanted_speed(seconds)
        fresh = self._random.normal(0, SWAY, self.sway.shape)
        self.sway = 0.93 * self.sway + (1 - 0.93**2) ** 0.5 * fresh
        gain = min(1.0, seconds / REACT_S)
        self.speed += gain * (wanted + self.sway + self._push() - self.speed)
        self.at += seconds * self.speed
        self._keep_apart()
        self.at[:, 0] = np.clip(self.at[:, 0], -WALL_M, WALL_M)
        for row in np.flatnonzero((self.at[:, 1] > 0) != inside).tolist():
            self.people[row].changes.append((now, 1 if self.at[row, 1] > 0 else -1))
        for row in np.flatnonzero(np.abs(self.at[:, 1]) < AT_LINE_M).tolist():
            self.people[row].at_line = now
        self._leave()

    def finish(self) -> None:
        """End the show: what those who are still there did so far is the truth."""
        for person in self.people:
            self._settle(person)
        self.people = []

    def _wanted_speed(self, seconds: float) -> Array:
        goals = np.array([person.route[0][:2] for person in self.people])
        way = goals - self.at
        far = np.hypot(way[:, 0], way[:, 1])
        pace = np.array([person.speed for person in self.people])
        for row in np.flatnonzero(far < ARRIVED_M).tolist():
            person = self.people[row]
            person.wait += seconds
            if person.wait < person.route[0][2]:
                pace[row] = 0.0
            elif len(person.route) > 1:
                person.route.pop(0)
                person.wait = 0.0
        wanted: Array = way * (pace / np.maximum(far, 0.1))[:, None]
        return wanted

    def _distances(self) -> tuple[Array, Array]:
        off = self.at[:, None] - self.at[None]
        far = np.hypot(off[..., 0], off[..., 1])
        np.fill_diagonal(far, np.inf)
        return off, np.maximum(far, 1e-3)

    def _push(self) -> Array:
        if len(self.people) < 2:
            return np.zeros_like(self.at)
        off, far = self._distances()
        party = np.array([person.party for person in self.people])
        press = np.maximum(0.0, PERSONAL_M + 0.25 - far) * 2.2
        press[party[:, None] == party[None]] *= 0.2
        away = off / far[..., None]
        # Somebody who meets another steps to the right, as people do.
        aside = np.stack([away[..., 1], -away[..., 0]], axis=-1)
        push: Array = ((away + 0.6 * aside) * press[..., None]).sum(axis=1)
        return push

    def _keep_apart(self) -> None:
        if len(self.people) < 2:
            return
        off, far = self._distances()
        overlap = np.maximum(0.0, BODY_M - far) * 0.5
        self.at += (off / far[..., None] * overlap[..., None]).sum(axis=1)

    def _leave(self) -> None:
        y = self.at[:, 1]
        gone = (y < OUTSIDE_M) | (y > INSIDE_M)
        if not gone.any():
            return
        stay = np.flatnonzero(~gone).tolist()
        for row in np.flatnonzero(gone).tolist():
            self._settle(self.people[row])
        self.people = [self.people[row] for row in stay]
        self.at, self.speed = self.at[stay], self.speed[stay]
        self.sway, self.serial = self.sway[stay], self.serial[stay]

    def _settle(self, person: Person) -> None:
        net = sum(sign for _, sign in person.changes)
        if net:
            direction = Direction.IN if net > 0 else Direction.OUT
            since, time = person.changes[0][0], person.at_line
            self.truth.append(TrueCrossing(since, time, direction, person.behaviour))


class Arrivals:
    """Who comes next: draws behaviours and turns each into people with routes."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._party = 0

    def party(
        self, behaviour: Behaviour
    ) -> Iterator[tuple[Person, tuple[float, float]]]:
        """The people of one arrival with their starting points (x, y in m)."""
        self._party += 1
        coming_in = self._random.random() < 0.5
        x = float(self._random.uniform(-1.5, 1.5))
        speed = self._speed(behaviour)
        for place in range(self._size(behaviour)):
            dx, dy = self._offset(behaviour, place)
            x_here = _in_door(x + dx)
            y = OUTSIDE_M + 0.1 + dy if coming_in else INSIDE_M - 0.1 - dy
            start = (x_here, y)
            route = self._route(behaviour, coming_in, x_here)
            height = float(self._random.normal(1.68, 0.12))
            yield Person(behaviour, route, speed, height, self._party), start

    def _size(self, behaviour: Behaviour) -> int:
        if behaviour is Behaviour.PAIR:
            return 2
        if behaviour is Behaviour.GROUP:
            return int(self._random.integers(3, 6))
        return 1

    def _speed(self, behaviour: Behaviour) -> float:
        mean = {Behaviour.RUNNER: 2.6, Behaviour.CART: 0.9}.get(behaviour, 1.25)
        return float(max(0.6, self._random.normal(mean, 0.2)))

    def _offset(self, behaviour: Behaviour, place: int) -> tuple[float, float]:
        if behaviour is Behaviour.PAIR:
            return 0.62 * place, 0.0
        if behaviour is Behaviour.GROUP:
            return 0.7 * (place % 2), 0.8 * (place // 2)
        return 0.0, 0.0

    def _route(self, behaviour: Behaviour, coming_in: bool, x: float) -> list[Goal]:
        draw = self._random
        out, inn = OUTSIDE_M - 1.0, INSIDE_M + 1.0
        start, end = (out, inn) if coming_in else (inn, out)
        ahead = 1.0 if coming_in else -1.0
        aside = _in_door(x + float(draw.normal(0, 0.5)))
        if behaviour is Behaviour.U_TURN:
            depth = ahead * float(draw.uniform(0.3, 1.8))
            return [(x, depth, float(draw.uniform(0.2, 2.0))), (aside, start, 0.0)]
        if behaviour is Behaviour.TURN_AWAY:
            depth = -ahead * float(draw.uniform(0.25, 1.2))
            return [(x, depth, float(draw.uniform(0.2, 2.0))), (aside, start, 0.0)]
        if behaviour is Behaviour.LOITER:
            stays = [
                (_in_door(x + float(draw.normal(0, 0.3))), draw.normal(0, 0.12), stay)
                for stay in draw.uniform(2.0, 8.0, int(draw.integers(2, 6))).tolist()
            ]
            leave = (aside, (start, end)[int(draw.random() < 0.6)], 0.0)
            return [*stays, leave]
        return [(aside, end, 0.0)]


def _in_door(x: float) -> float:
    return min(WALL_M, max(-WALL_M, x))
