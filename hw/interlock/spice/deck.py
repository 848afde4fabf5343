"""A deck for ngspice: the board, the world around it, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.netlist import Board
from interlock.spice import models, world
from interlock.spice.models import NOMINAL, Drawn, node
from interlock.spice.ngspice import ENDED

STEP_S = 20e-6  # between two points, at most


@dataclass(frozen=True, slots=True)
class Measure:
    """One ``meas``: MAX, MIN or AVG over a time, or the first fall below a level."""

    name: str
    how: str  # "max", "min", "avg", "below"
    what: str  # a net, or "i(source)" of a source
    from_ms: float
    to_ms: float
    level: float = 0.1  # V, of "below"

    def line(self) -> str:
        """The line of the control block."""
        what = self.what if "(" in self.what else f"v({node(self.what)})"
        if self.how == "below":
            since = f"TD={self.from_ms / 1e3:.9g}"
            return f"meas tran {self.name} WHEN {what}={self.level} FALL=1 {since}"
        span = f"FROM={self.from_ms / 1e3:.9g} TO={self.to_ms / 1e3:.9g}"
        return f"meas tran {self.name} {self.how.upper()} {what} {span}"


@dataclass(frozen=True, slots=True)
class Setting:
    """Of which board and at which temperature."""

    celsius: float = 25.0
    drawn: Drawn = NOMINAL


def deck(
    board: Board,
    around: world.World,
    measures: tuple[Measure, ...],
    setting: Setting = Setting(),
    waves: tuple[str, ...] = (),
) -> str:
    """The whole deck as text."""
    body = [line for each in board.placed for line in models.lines(each, setting.drawn)]
    stop = around.stop_ms / 1e3
    step = min(STEP_S, stop / 1000)
    return "\n".join(
        [
            "* the interlock, made from board.net",
            *body,
            *models.SHARED,
            *world.lines(around),
            *world.SHARED,
            f".temp {setting.celsius:g}",
            ".options reltol=2e-3 abstol=1e-10 vntol=1e-5 method=gear gmin=1e-11",
            f".tran {step:.4g} {stop:.9g} 0 {step:.4g} uic",
            ".control",
            "set wr_singlescale",
            "run",
            *(each.line() for each in measures),
            f"let {ENDED} = time[length(time)-1]",
            f"print {ENDED}",
            *([_write(waves)] if waves else []),
            "quit",
            ".endc",
            ".end",
            "",
        ]
    )


def _write(waves: tuple[str, ...]) -> str:
    return "wrdata waves.txt " + " ".join(f"v({node(each)})" for each in waves)
