"""What the demo shows, and what really happens in it."""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.drivers.camera.clip import street_truth
from doorsill_fleet.demo.view import Truth
from doorsill_fleet.stage.shop import Point


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show, and for how long."""

    seconds: float
    source: str = ""  # a recording; empty for the street
    lines: tuple[tuple[Point, ...], ...] = ()
    detector: str = "detector"
    token: bool = False
    verbose: bool = False  # the processes' logs on our stderr, through the view


def truth_of(plan: Plan, seconds: float) -> Truth:
    """The true crossings in the first ``seconds`` of the street, which repeats."""
    if plan.source:
        return Truth(None)
    truth = street_truth()
    length = truth["frames"] / truth["fps"]
    counts = [0, 0]
    for crossing in truth["crossings"]:
        rounds = int(max(0.0, seconds - crossing["t"]) // length)
        happened = rounds + (seconds >= crossing["t"])
        counts[crossing["direction"] == "out"] += happened
    return Truth(((counts[0], counts[1]),))
