"""The faults of our detector, as they were measured.

``measured.json`` holds the numbers; ``doorsill_train.judge.faults`` writes it. For
that, the street's own walkers are rendered as its camera sees them, in rooms and
clothes that the detector was not trained on. In each frame it is noted whom the shipped
detector finds and with what score, how much of the head is hidden, how far off the
answer is, what is invented, and how long each of these lasts. Lengths are in heads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("measured.json")
FRAME_S = 0.08  # time between frames for which memories and rates were measured


@dataclass(frozen=True, slots=True)
class Wobble:
    """How far one number is off, and how that changes."""

    size: float  # one standard deviation, heads
    steady: float  # share of the variance that stays the same for a person
    memory: float  # share of the rest that remains after FRAME_S


@dataclass(frozen=True, slots=True)
class Invention:
    """Boxes where nobody is, or a second one on somebody."""

    rate: float  # boxes a frame; of those on somebody, boxes a frame and person
    scores: tuple[float, ...]  # from the lowest to the highest, at equal steps
    stays_s: tuple[float, ...]  # from the shortest to the longest, at equal steps
    # Four rows (mean, spread), in heads, of those on somebody: how far the box's head
    # is from the person's in x and in y, and how far the foot is in x and in y.
    off: tuple[tuple[float, float], ...] = ()
    # (10,) each, of those elsewhere: box, head and foot in 0..1 of the picture.
    places: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What the detector does wrong, and what weak light adds to it."""

    threshold: float  # lowest score that the detector gives
    # A row of ``scores`` for each of ``sizes``, of heads in plain view, and a row of
    # ``scores_hidden`` for each of ``covers``, of hidden heads of all sizes. A row goes
    # from the lowest to the highest score at equal steps; 0 is somebody not found.
    sizes: tuple[float, ...]  # heights of a head, picture heights
    scores: tuple[tuple[float, ...], ...]  # (len(sizes), steps)
    covers: tuple[float, ...]  # hidden shares of a head
    scores_hidden: tuple[tuple[float, ...], ...]  # (len(covers), steps)
    seen: Wobble  # of the place among the scores
    head_x: Wobble
    head_y: Wobble
    foot_x: Wobble
    foot_y: Wobble
    left: Wobble  # of the box's left side
    right: Wobble  # of the box's right side
    blur: float  # factor of the foot's error where half of somebody or more is hidden
    elsewhere: Invention
    on_people: Invention
    dropped: float = 0.0  # share of all answers that is lost in weak light
    fainter: float = 0.0  # score that each answer loses in weak light
    shaken: float = 1.0  # factor of all errors in weak light
    invents: float = 1.0  # factor of the boxes elsewhere in weak light

    @property
    def wobbles(self) -> tuple[Wobble, ...]:
        """Of the score, and of head, foot and sides: seven, in this order."""
        places = self.head_x, self.head_y, self.foot_x, self.foot_y
        return self.seen, *places, self.left, self.right


def read_measured(file: Path = FILE) -> Measured:
    """Read the faults of the shipped detector at a door, in good light.

    Raises OSError and ValueError where the file cannot be read.
    """
    table = json.loads(file.read_text(encoding="utf-8"))
    kinds = {"elsewhere": Invention, "on_people": Invention}
    made: dict[str, Any] = {}
    for name in (each.name for each in fields(Measured)):
        value = table.get(name)
        if isinstance(value, dict):
            kind = kinds.get(name, Wobble)
            made[name] = kind(**{key: _freeze(each) for key, each in value.items()})
        elif value is not None:
            made[name] = _freeze(value)
    return Measured(**made)


def in_weak_light(faults: Measured) -> Measured:
    """``faults`` as they are in weak light. Assumed: no picture measured is so dark."""
    return replace(faults, dropped=0.24, fainter=0.17, shaken=2.0, invents=2.5)


def _freeze(value: Any) -> Any:
    return tuple(map(_freeze, value)) if isinstance(value, list) else value
