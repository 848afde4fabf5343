"""Runs of scenarios, one by one or over a whole series of boards."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from interlock.meaning import RAIL
from interlock.netlist import Board
from interlock.spice.deck import Measure, Setting, deck
from interlock.spice.models import Drawn
from interlock.spice.ngspice import Run, simulate
from interlock.spice.scenarios import (
    DEAD_V,
    MEMORY_V,
    READ_AFTER,
    REMANENCE,
    TOKEN_MS,
    WATCHDOG_MS,
    Check,
    Scenario,
    least,
    most,
)
from interlock.spice.world import World

CELSIUS = (-10.0, 60.0)
SUPPLY_V = (4.75, 5.25)
SEED = 19
CAPACITOR_LOSS = (
    0.6,
    1.1,
)  # of X7R over temperature, bias and age, beside its tolerance


@dataclass(frozen=True, slots=True)
class Result:
    """What one scenario gave."""

    scenario: Scenario
    run: Run

    @property
    def broken(self) -> list[str]:
        """The names of the checks that do not hold."""
        return [
            each.measure.name
            for each in self.scenario.checks
            if not each.holds(self.run.figures)
        ]


def play(
    board: Board,
    scenario: Scenario,
    setting: Setting = Setting(),  # noqa: B008 - frozen
) -> Result:
    """Simulate one scenario; raises BoardError where it does not converge."""
    for ref, pin, net in scenario.moved:
        board = board.rewired(ref, pin, net)
    measures = tuple(each.measure for each in scenario.checks)
    text = deck(board, scenario.world, measures, setting, scenario.waves)
    stop = scenario.world.stop_ms / 1e3
    return Result(scenario, simulate(text, stop, scenario.waves))


@dataclass(frozen=True, slots=True)
class Sample:
    """One board of a series, where it stands, and how fast its rail died."""

    number: int
    celsius: float
    volts: float
    token_s: float | None  # None: never
    watchdog_s: float | None
    broken: tuple[str, ...]  # the checks that it did not hold


# In one run: the card is pulled and put back, then the vault dies with its pin high.
SERIES = Scenario(
    "series",
    "One board of a series: the card is pulled at 40 ms, the watchdog lost at 80 ms",
    World(135, token=((0, 1), (40, 0), (51, 1)), alive=(1, 80), stuck=1, spi="high"),
    (
        least("up_before", RAIL, MEMORY_V, 20, 39),
        Check(Measure("token_dead", "below", RAIL, 40, 51), "<=", TOKEN_MS / 1e3, 40),
        most("token_then", RAIL, DEAD_V, 40 + TOKEN_MS, 51),
        least("up_again", RAIL, MEMORY_V, 62, 79),
        Check(
            Measure("lost_dead", "below", RAIL, 80, 135), "<=", WATCHDOG_MS / 1e3, 80
        ),
        most("lost_then", RAIL, DEAD_V, 80 + WATCHDOG_MS, 135),
    ),
    REMANENCE,
    READ_AFTER,
    (),
)


def draw(board: Board, source: random.Random) -> Drawn:
    """A board of a series: each value within its tolerance, each threshold as well."""
    scale: dict[str, float] = {}
    shift: dict[str, float] = {}
    for each in board.placed:
        part, figures = each.part, each.part.figures
        scale[each.ref] = 1 + source.uniform(-part.tolerance, part.tolerance)
        if part.kind == "capacitor" and part.tolerance > 0.05:
            scale[each.ref] *= source.uniform(*CAPACITOR_LOSS)
        for key in ("tolerance", "k_tolerance"):
            if key in figures:
                scale[each.ref] = 1 + source.uniform(-figures[key], figures[key])
        spread = figures.get("threshold_spread_v", figures.get("spread_v", 0.0))
        offset = figures.get("offset_v", spread)
        for unit in ("", ".1", ".2", ".3", ".4"):
            shift[each.ref + unit] = source.uniform(-offset, offset)
    return Drawn(scale, shift)


def sample(board: Board, number: int, seed: int = SEED) -> Sample:
    """Board ``number`` of the series, its card pulled, and its watchdog lost.

    Half of the boards stand at an end of the temperatures and of the supply, the others
    between the ends.
    """
    source = random.Random(seed * 1_000_003 + number)  # noqa: S311 - a seeded series
    ends = source.random() < 0.5
    celsius, volts = (
        source.choice(each) if ends else source.uniform(*each)
        for each in (CELSIUS, SUPPLY_V)
    )
    setting = Setting(celsius, draw(board, source))
    around = replace(SERIES, world=replace(SERIES.world, supply_v=((0.0, volts),)))
    result = play(board, around, setting)
    token, lost = (SERIES.checks[each].value(result.run.figures) for each in (1, 4))
    return Sample(number, celsius, volts, token, lost, tuple(result.broken))
