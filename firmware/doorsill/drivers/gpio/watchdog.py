"""The watchdog's pin of the interlock board: each pulse buys its memory some power.

A pulse is a rising edge and a falling one at once, so a vault that dies leaves the pin
low, but for microseconds. High or low, a pin that does not move buys nothing: the board
counts rising edges. No hardware repeats a pulse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from doorsill.drivers.gpio.line import parse_place
from doorsill.drivers.gpio.output import GpiodOutput, Output
from doorsill.errors import UntrustedError

OPTION = "watchdog_line"
REAL = partial(GpiodOutput, OPTION)  # opens a line of the kernel


class WatchdogLine:
    """The pin; low from the start on."""

    def __init__(self, output: Output) -> None:
        """Raises UntrustedError where it cannot be driven."""
        self._output = output
        self._drive(False)

    def pulse(self) -> None:
        """One rising edge; raises UntrustedError where the line is gone."""
        self._drive(True)
        self._drive(False)

    def close(self) -> None:
        """Leave it low, and let go of it."""
        try:
            self._drive(False)
        finally:
            self._output.release()

    def _drive(self, on: bool) -> None:
        try:
            self._output.write(on)
        except (OSError, ValueError) as error:
            raise UntrustedError(f"the watchdog's line is gone: {error}") from None


def open_watchdog(
    option: str, opener: Callable[[str, int], Output] = REAL
) -> WatchdogLine:
    """Open the pin that ``consent.watchdog_line = "CHIP:OFFSET"`` names, low.

    Raises ConfigError where there is no such line, UntrustedError where it cannot be
    driven.
    """
    return WatchdogLine(opener(*parse_place(OPTION, option)))
