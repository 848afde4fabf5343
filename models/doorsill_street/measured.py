"""The faults of our detector, as they were measured.

``measured.json`` holds the numbers, and ``doorsill_train.judge.faults`` writes it: the
street's own walkers are rendered as its camera sees them, in rooms and clothes that the
detector was not trained on, and frame by frame it is noted whom the shipped detector
finds and with what score, by how much of the head is hidden, how far off the answer is,
what is invented, and for how long each of these stays. Lengths are in heads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("measured.json")
FRAME_S = 0.08  # for which the memories are given


@dataclass(frozen=True, slots=True)
class Wobble:
    """How one number is off: one standard deviation, and how it changes."""

    size: float  # heads
    steady: float  # share of the variance that stays with a person
    memory: float  # what remains of the rest after FRAME_S


@dataclass(frozen=True, slots=True)
class Invention:
    """Boxes where nobody is, or a second one on somebody."""

    rate: float  # boxes a frame, or a frame and person
    scores: tuple[float, ...]  # from the lowest to the highest, at equal steps
    stays_s: tuple[float, ...]  # likewise
    off: tuple[tuple[float, float], ...] = ()  # heads: mean and spread of how far it
    # is from the person's head in x and y, and from the foot
    places: tuple[tuple[float, ...], ...] = ()  # box, head and foot of some elsewhere


@dataclass(frozen=True, slots=True)
class Measured:
    """What the detector does wrong, and what weak light adds to it."""

    threshold: float  # lowest score that the detector gives
    sizes: tuple[float, ...]  # picture heights of a head in plain view, for each its
    scores: tuple[tuple[float, ...], ...]  # from the lowest to the highest
    covers: tuple[float, ...]  # hidden shares of a head, and for each of them the
    scores_hidden: tuple[tuple[float, ...], ...]  # scores at all sizes
    seen: Wobble  # of the place among the scores
    head_x: Wobble
    head_y: Wobble
    foot_x: Wobble
    foot_y: Wobble
    left: Wobble
    right: Wobble
    blur: float  # times the foot's error of who is half hidden or more
    elsewhere: Invention
    on_people: Invention
    dropped: float = 0.0  # share of all answers that weak light takes
    fainter: float = 0.0  # score that it costs
    shaken: float = 1.0  # times all errors
    invents: float = 1.0  # times the boxes elsewhere

    @property
    def wobbles(self) -> tuple[Wobble, ...]:
        """Of the score, and of head, foot and sides."""
        places = self.head_x, self.head_y, self.foot_x, self.foot_y
        return self.seen, *places, self.left, self.right


def measured(file: Path = FILE) -> Measured:
    """The faults of the shipped detector at a door."""
    table = json.loads(file.read_text(encoding="utf-8"))
    kinds = {"elsewhere": Invention, "on_people": Invention}
    made: dict[str, Any] = {}
    for name in (each.name for each in fields(Measured)):
        value = table.get(name)
        if isinstance(value, dict):
            kind = kinds.get(name, Wobble)
            made[name] = kind(**{key: _frozen(each) for key, each in value.items()})
        elif value is not None:
            made[name] = _frozen(value)
    return Measured(**made)


def in_weak_light(faults: Measured) -> Measured:
    """What is added while the light is low. This is assumed: no picture is so dark."""
    return replace(faults, dropped=0.24, fainter=0.17, shaken=2.0, invents=2.5)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
