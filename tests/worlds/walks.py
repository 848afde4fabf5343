"""Tracks of people who walk as a test says, and what a counter makes of them."""

from __future__ import annotations

import itertools

import numpy as np

from doorsill.values import Crossing, Direction, Tracks
from doorsill.vision.count.line import DECIDED_WITHIN_S, LineCounter

FRAME_S = 0.08
WIDE = 0.06  # of the picture
TALL = 0.2  # of the picture
Step = dict[int, tuple[float, float]]  # track -> foot; a negative id is unconfirmed


def tracks_of(step: Step, ended: tuple[int, ...] = (), tall: float = TALL) -> Tracks:
    feet = np.array(list(step.values()), np.float32).reshape(-1, 2)
    half = WIDE / 2
    x, y = feet[:, 0], feet[:, 1]
    boxes = np.stack([x - half, y - tall, x + half, y], axis=1)
    ids = np.array(list(step), np.int64)
    seen = np.arange(len(step))
    return Tracks(ids, boxes, feet, seen, ids >= 0, ended)


def drive(
    counter: LineCounter, steps: list[Step], finish: bool = True, tall: float = TALL
) -> list[Crossing]:
    """Feed a story frame by frame, then time enough for all to be decided."""
    found: list[Crossing] = []
    now = 0.0
    for now, step in zip(itertools.count(10.0, FRAME_S), steps, strict=False):
        found += counter.update(tracks_of(step, tall=tall), now)
    if finish:
        for late in np.arange(now, now + DECIDED_WITHIN_S, 0.5):
            found += counter.update(tracks_of({}), late)
    return found


def tally(found: list[Crossing], line: int = 0) -> tuple[int, int]:
    here = [each.direction for each in found if each.line == line]
    return here.count(Direction.IN), here.count(Direction.OUT)


def tracks(*feet: tuple[int, float, float], confirmed: bool = True) -> Tracks:
    n = len(feet)
    return Tracks(
        np.array([each[0] for each in feet], np.int64),
        np.zeros((n, 4), np.float32),
        np.array([each[1:] for each in feet], np.float32).reshape(n, 2),
        np.zeros(n, np.intp),
        np.full(n, confirmed),
    )
