"""What a person carries, leans on or pulls, built around the posed body.

Metres, y up, feet at y = 0, as ``Person.mesh`` returns it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doorsill_train.paint.solids import Solid

DARK = np.full(3, 0.06)


@dataclass(frozen=True, slots=True)
class Carried:
    """Drawn once, so that two phases show the same thing."""

    kind: str  # handbag, shopping, briefcase, cane, frame, trolley
    side: int  # 0 left, 1 right
    size: tuple[float, float, float]  # half width, height, half depth
    strap: float
    colour: tuple[float, ...]


SIZES = {
    "handbag": ((0.04, 0.16, 0.08), (0.08, 0.3, 0.19)),
    "shopping": ((0.05, 0.25, 0.1), (0.12, 0.42, 0.2)),
    "briefcase": ((0.03, 0.25, 0.16), (0.06, 0.33, 0.23)),
    "trolley": ((0.14, 0.45, 0.1), (0.2, 0.6, 0.16)),
}


def sample_carried(
    kind: str, colour: np.ndarray, rng: np.random.Generator
) -> Carried | None:
    if kind == "none":
        return None
    low, high = SIZES.get(kind, ((0.02,) * 3, (0.02,) * 3))
    size = tuple(rng.uniform(low, high))
    return Carried(
        kind, int(rng.integers(2)), size, rng.uniform(0.05, 0.25), tuple(colour)
    )


def carried_solid(
    thing: Carried, wrists: np.ndarray, shoulders: np.ndarray, hips: np.ndarray
) -> Solid:
    """``wrists``, ``shoulders``, ``hips``: (2, 3), left and right."""
    s, colour = Solid(), np.array(thing.colour)
    hand = wrists[thing.side]
    if thing.kind == "cane":
        foot = [hand[0], 0, hand[2] + 0.12]
        s.tube(foot, np.add(hand, (0, 0.02, 0)), 0.014, colour)
        low, high = np.add(hand, [(0, 0.02, -0.05), (0, 0.03, 0.1)])
        s.tube(low, high, 0.016, colour)
    elif thing.kind == "frame":
        _frame(s, wrists, colour)
    elif thing.kind == "trolley":
        _trolley(s, hand, thing, colour)
    elif thing.kind == "handbag":
        out = np.sign(shoulders[thing.side][0]) * (0.1 + thing.size[0])
        at = np.add(hips[thing.side], (out, 0.12 - thing.strap, 0))
        _bag(s, at, thing, colour)
        s.tube(at, np.add(shoulders[thing.side], (0, 0.05, 0)), 0.012, colour * 0.7)
    else:
        low = 0.08 + thing.strap * (thing.kind == "shopping")
        at = np.subtract(hand, (0, low, 0))
        _bag(s, at, thing, colour)
        s.tube(at, np.subtract(hand, (0, 0.05, 0)), 0.012, DARK)
    return s


def _bag(s: Solid, top: np.ndarray, thing: Carried, colour: np.ndarray) -> None:
    x, tall, z = thing.size
    s.box(np.subtract(top, (x, tall, z)), np.add(top, (x, 0, z)), colour)


def _frame(s: Solid, wrists: np.ndarray, colour: np.ndarray) -> None:
    """A walking frame: two sides and two bars before the person."""
    feet = []
    for hand in wrists:
        x = hand[0] * 1.1
        for z in (hand[2] - 0.05, hand[2] + 0.4):
            s.tube([x, 0, z], [x, hand[1] - 0.03 * (z > hand[2]), z], 0.016, colour)
        s.tube([x, hand[1], hand[2] - 0.08], [x, hand[1], hand[2] + 0.4], 0.02, DARK)
        feet.append([x, hand[1] * 0.75, hand[2] + 0.4])
    s.tube(feet[0], feet[1], 0.016, colour)
    down = np.array([0, 0.45 * wrists[0][1], 0])
    s.tube(np.array(feet[0]) - down, np.array(feet[1]) - down, 0.016, colour)


def _trolley(s: Solid, hand: np.ndarray, thing: Carried, colour: np.ndarray) -> None:
    """A shopping trolley pulled behind."""
    x, tall, z = thing.size
    at = np.array([hand[0], 0.12, hand[2] - 0.45])
    s.box(np.subtract(at, (x, 0, z)), np.add(at, (x, tall, z)), colour)
    s.tube(np.add(at, (0, tall, 0)), hand, 0.014, DARK)
    for side in (-x, x):
        s.ball(np.add(at, (side, -0.05, -z)), (0.02, 0.07, 0.07), DARK)
