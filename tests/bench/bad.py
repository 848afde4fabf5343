"""Who counts right where detections are bad: ours beside ByteTrack and norfair.

A quarter of the boxes is dropped, each place is off by 6 cm, and in every frame there
is one box more, where nobody is: as large and as sure as a person's. The street's
crowds are seen as at a door, and straight from above, where a person is a square.

Our constants were tried on seeds 1 to 12; every figure here is from others, fixed
before anything was measured on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from bench.peers import BYTETRACK, NORFAIR, Frames, Line, Make, Ours
from bench.rows import Row
from bench.tracking import best, judge, pooled, wrong
from numpy.typing import NDArray

from doorsill.values import Detections
from doorsill_street.camera import HEAD_M, MOUNTED, Noise, draw_shapes
from doorsill_street.people import DOOR_M, Behaviour, Floor, Person, TrueCrossing
from doorsill_street.street import HARD, Scene, Street

Array = NDArray[np.float64]
HELD_OUT = (501, 502, 503, 504, 505, 506)
SECONDS = 300.0  # of each crowd
DROPPED, JITTER_M = 0.25, 0.06
MOST_WRONG = 0.03  # of all crossings, in both directions together
SCORE, SCORE_SPREAD = 0.78, 0.12  # of a person, and of a box where nobody is
ASPECT = 4 / 3  # width over height of a picture
PLAN_M = 7.2  # height of the picture from above, m
BODY_M = 0.5  # side of a person from above, m
PLANTS = 2  # things near the line that are taken for people in most frames
PLANT_SEEN = 0.7  # share of the frames in which they are


@dataclass(frozen=True, slots=True)
class View:
    """How a crowd is seen, and what is invented in it."""

    name: str
    above: bool = False  # straight from above
    per_minute: float = HARD.per_minute  # people who come in a minute
    plants: int = 0
    wanted: bool = True  # False: reported, without a target


VIEWS = (
    View("a crowd, as at a door"),
    View("a third of that crowd, as at a door", per_minute=HARD.per_minute / 3),
    View("a quarter of that crowd, from above", True, HARD.per_minute / 4),
    View("that crowd from above, shoulder to shoulder", True, wanted=False),
    View("a crowd, two plants at the line", plants=PLANTS, wanted=False),
)


class Badly:
    """One crowd that is seen badly, its frames kept, so that all see the same."""

    def __init__(self, seed: int, view: View) -> None:
        street = Street(seed, _scene(view))
        random = np.random.default_rng((seed, 1))
        show = _from_above if view.above else _at_a_door
        self.frames: Frames = list(show(street, view, random))
        self.line: Line = _line_from_above() if view.above else street.line
        self.truth: list[TrueCrossing] = street.truth
        self.at_the_line: list[tuple[float, Behaviour]] = street.at_the_line
        self.ours: Make = partial(Ours, born=street.born)


def rows() -> Iterator[Row]:
    """Two rows for each view: ours on all crowds, and all three on the first."""
    for view in VIEWS:
        shows = [Badly(seed, view) for seed in HELD_OUT]
        each = [judge(shown.ours, [shown]) for shown in shows]
        ours, first = pooled(each), shows[:1]
        missed, extra = sum(ours.missed.values()), sum(ours.extra.values())
        number = sum(ours.true.values())
        share = (missed + extra) / number
        yield Row(
            f"{view.name}: wrong of {number}, bad detections",
            f"{100 * share:.1f} %: {wrong(ours)}",
            target="<= 3 %, extra <= missed" if view.wanted else "",
            ok=share <= MOST_WRONG and extra <= missed if view.wanted else None,
        )
        if view.wanted:
            byte, nor = best(BYTETRACK, first), best(NORFAIR, first)
            yield Row(
                f"  the first of these crowds, {sum(each[0].true.values())} crossings",
                wrong(each[0]),
                {"ByteTrack + LineZone": wrong(byte), "norfair": wrong(nor)},
                "best of three",
                each[0].worst <= min(byte.worst, nor.worst),
            )


def _scene(view: View) -> Scene:
    noise = Noise(missed=DROPPED, jitter=JITTER_M, memory=0.0, false=0.0)
    return replace(HARD, seconds=SECONDS, per_minute=view.per_minute, noise=noise)


def _at_a_door(
    street: Street, view: View, random: np.random.Generator
) -> Iterator[tuple[float, Detections]]:
    plants = [_anybody(random, 0.5) for _ in range(view.plants)]
    for now, seen in street:
        false = [_anybody(random)]
        for plant in plants:
            if random.random() < PLANT_SEEN:
                false.append(plant + random.normal(0, JITTER_M / PLAN_M / 2, 10))
        scores = np.append(seen.scores, _scores(random, len(false)))
        people = [seen.boxes, seen.heads, seen.feet]
        table = np.concatenate([np.concatenate(people, axis=1), false])
        yield now, _detections(table, scores)


def _anybody(random: np.random.Generator, spread_m: float = 3.0) -> Array:
    """(10,) box, head and foot of somebody at a place in the picture, near the door."""
    while True:
        floor = Floor(random)
        place = float(random.uniform(-3, 3)), float(random.normal(0, spread_m))
        tall = float(random.uniform(1.5, 1.9))
        person = Person(Behaviour.SINGLE, [(*place, 0.0)], 1.0, tall, 0)
        floor.enter(person, place)
        shown = draw_shapes(MOUNTED, floor)
        head = (shown.heads[0, :2] + shown.heads[0, 2:]) / 2
        if (head > 0).all() and (head < 1).all():
            return np.concatenate([shown.boxes[0], shown.heads[0], shown.feet[0]])


def _from_above(
    street: Street, view: View, random: np.random.Generator
) -> Iterator[tuple[float, Detections]]:
    floor = street.floor
    half = PLAN_M / 2
    for now, _ in street:
        at = floor.at[random.random(len(floor.at)) >= DROPPED]
        at = at + random.normal(0, JITTER_M, at.shape)
        false = random.uniform((-half * ASPECT, -half), (half * ASPECT, half), (1, 2))
        table = _squares(np.concatenate([at, false]))
        middle = table[:, 8:]
        table = table[((middle > 0) & (middle < 1)).all(axis=1)]
        yield now, _detections(table, _scores(random, len(table)))


def _squares(at: Array) -> Array:
    """(n, 10) box, head and foot of people at ``at``, (n, 2) in m, from above."""
    x, y = 0.5 - at[:, 0] / PLAN_M / ASPECT, 0.5 + at[:, 1] / PLAN_M
    body, head = BODY_M / 2 / PLAN_M, HEAD_M / 2 / PLAN_M
    sides = [
        each
        for half in (body, head)
        for each in (x - half / ASPECT, y - half, x + half / ASPECT, y + half)
    ]
    return np.stack([*sides, x, y], axis=1)


def _line_from_above() -> Line:
    ends = _squares(np.array([[DOOR_M / 2, 0.0], [-DOOR_M / 2, 0.0]]))
    (x0, y0), (x1, y1) = ends[:, 8:].tolist()
    return (x0, y0), (x1, y1)


def _scores(random: np.random.Generator, count: int) -> Array:
    return np.clip(random.normal(SCORE, SCORE_SPREAD, count), 0.05, 0.99)


def _detections(table: Array, scores: Array) -> Detections:
    table = table.astype(np.float32)
    boxes = np.clip(table[:, :4], 0, 1)
    return Detections(boxes, scores.astype(np.float32), table[:, 4:8], table[:, 8:])
