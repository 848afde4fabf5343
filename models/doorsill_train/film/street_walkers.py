"""Who walks at the door of the simulated street, when, and on which way.

x is to the left in the picture, z away from the camera, both in metres; the drawing is
in ``street_clip``. Towards the camera is IN.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from doorsill_train.paint.painter import Mesh
from doorsill_train.paint.solids import Solid
from doorsill_train.people.bodies import Atlas
from doorsill_train.people.people import Person, sample_person
from doorsill_train.places.furniture import pram, shopping_cart, wheelchair

SEED = 20260
LINE_Z, NEAR_Z, FAR_Z = 3.0, 0.2, 11.0  # of the line, and where people come and go
LANES = (-1.45, -0.85, -0.25, 0.35, 0.95, 1.5)
IN, OUT = "in", "out"
# start in s, behaviour, then (lane, direction, m/s) of each person
EPISODES: list[tuple[float, str, list[tuple[int, str, float]]]] = [
    (0.0, "single", [(2, IN, 1.3)]),
    (1.5, "single", [(4, OUT, 1.2)]),
    (3.5, "side by side", [(1, IN, 1.15), (2, IN, 1.15)]),
    (5.0, "single", [(5, OUT, 1.4)]),
    (7.0, "cart", [(3, IN, 1.0)]),
    (9.0, "u-turn", [(0, IN, 1.2)]),
    (10.0, "meeting", [(2, OUT, 1.25), (4, IN, 1.3)]),
    (12.5, "loiterer", [(5, IN, 1.1)]),
    (14.0, "group", [(0, OUT, 1.1), (1, OUT, 1.15), (2, OUT, 1.1), (3, OUT, 1.05)]),
    (18.5, "runner", [(1, IN, 2.6)]),
    (20.0, "pram", [(3, IN, 1.0)]),
    (21.5, "single", [(1, OUT, 1.3)]),
    (23.0, "side by side", [(2, OUT, 1.2), (3, OUT, 1.2)]),
    (24.0, "single", [(0, IN, 1.35)]),
    (26.5, "u-turn", [(2, OUT, 1.2)]),
    (27.5, "group", [(0, IN, 1.2), (1, IN, 1.1), (4, IN, 1.15)]),
    (31.0, "wheelchair", [(2, IN, 0.95)]),
    (33.0, "meeting", [(0, OUT, 1.3), (4, IN, 1.2)]),
    (35.0, "single", [(3, OUT, 1.35)]),
    (36.5, "side by side", [(0, IN, 1.25), (1, IN, 1.25)]),
    (38.0, "single", [(4, OUT, 1.5)]),
    (40.0, "u-turn", [(3, IN, 1.3)]),
    (41.5, "group", [(0, OUT, 1.15), (1, OUT, 1.1), (5, OUT, 1.15)]),
    (44.5, "single", [(2, IN, 1.2)]),
    (46.0, "cart", [(4, OUT, 1.05)]),
    (47.5, "meeting", [(0, IN, 1.3), (2, OUT, 1.3)]),
    (50.0, "single", [(3, IN, 1.4)]),
    (51.5, "side by side", [(0, OUT, 1.4), (1, OUT, 1.4)]),
]
LOITER_Z, LOITER_S = 4.0, 14.0
PROPS = {"cart": shopping_cart, "pram": pram, "wheelchair": wheelchair}
POSES = {"cart": "push", "pram": "push", "wheelchair": "sit"}


@dataclasses.dataclass(slots=True)
class Walker:
    """One person on a path; meshes are posed once per phase and kept."""

    person: Person
    behaviour: str
    path: np.ndarray  # (n, 3) rows of t, x, z
    prop: Solid | None
    meshes: dict[int, Mesh] = dataclasses.field(default_factory=dict)
    prop_mesh: Mesh | None = None

    def at(self, t: float) -> tuple[float, float] | None:
        """x and z at time t, or None before and after."""
        if not self.path[0, 0] <= t <= self.path[-1, 0]:
            return None
        x, z = (float(np.interp(t, self.path[:, 0], self.path[:, k])) for k in (1, 2))
        return x, z

    def walked(self, t: float) -> float:
        steps = np.hypot(*np.diff(self.path[:, 1:], axis=0).T)
        so_far = np.concatenate([[0], np.cumsum(steps)])
        return float(np.interp(t, self.path[:, 0], so_far))

    def heading(self, t: float) -> float:
        """Angle about y; looked at over 0.6 s, so that nobody flips."""
        first, last = float(self.path[0, 0]), float(self.path[-1, 0])
        before = self.at(float(np.clip(t - 0.3, first, last)))
        after = self.at(float(np.clip(t + 0.3, first, last)))
        assert before is not None and after is not None  # both are on the path
        (x0, z0), (x1, z1) = before, after
        if np.hypot(x1 - x0, z1 - z0) < 0.05:
            return 0.4 + float(np.pi * (self.path[0, 2] > self.path[-1, 2]))
        return float(np.arctan2(x1 - x0, z1 - z0))


def path_for(
    behaviour: str, start: float, lane: int, way: str, speed: float
) -> np.ndarray:
    """Rows of t, x, z."""
    x = LANES[lane]
    first, last = (FAR_Z, NEAR_Z) if way == IN else (NEAR_Z, FAR_Z)
    stops = [(start, x, first)]

    def go(z: float, to_x: float) -> None:
        t, _, from_z = stops[-1]
        stops.append((t + abs(z - from_z) / speed, to_x, z))

    if behaviour == "u-turn":
        turn_z = LINE_Z - 0.8 if way == IN else LINE_Z + 1.2
        go(turn_z, x)
        stops.append((stops[-1][0] + 0.8, x + 0.5, turn_z))
        go(first, x + 0.5)
    elif behaviour == "loiterer":
        go(LOITER_Z, x)
        begun = stops[-1][0]
        for k in range(1, 8):
            at = begun + k * LOITER_S / 7
            stops.append((at, x + 0.1 * (k % 2), LOITER_Z + 0.12 * (k % 3)))
        go(last, x)
    else:
        go(LINE_Z, x + 0.1)
        go(last, x)
    return np.array(stops)


def cast_walkers(atlas: Atlas) -> list[Walker]:
    rng = np.random.default_rng(SEED)
    walkers = []
    for start, behaviour, people in EPISODES:
        for lane, way, speed in people:
            pose = POSES.get(behaviour, "walk")
            person = sample_person(atlas, rng, True, pose)
            while person.band == 0 and behaviour in PROPS:
                person = sample_person(atlas, rng, True, pose)
            swing = 0.1 if pose == "sit" else min(1.0, 0.75 * speed)
            gait = dataclasses.replace(person.gait, swing=swing)
            person = dataclasses.replace(person, gait=gait)
            path = path_for(behaviour, start, lane, way, speed)
            prop = PROPS[behaviour](rng) if behaviour in PROPS else None
            walkers.append(Walker(person, behaviour, path, prop))
    return walkers
