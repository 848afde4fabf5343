"""The consent lamp on a GPIO line (libgpiod 2): lit exactly while faces may be stored.

Everybody before the camera sees it. It is lit before the first face may be stored and
put out when none may be any more; where it does not light, none may be. What is read
back is the line, not the light: only a person can see that a lamp has burnt out.

Wired so that it is dark while the line is not driven (a transistor with a pull-down). A
vault that is killed leaves the line to the kernel; the next start puts it out first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from doorsill.drivers.gpio.line import parse_place
from doorsill.drivers.gpio.output import GpiodOutput, Output
from doorsill.errors import UntrustedError

OPTION = "lamp_line"
REAL = partial(GpiodOutput, OPTION)  # opens a line of the kernel


class ConsentLamp:
    """The lamp; it is dark from the start on."""

    def __init__(self, output: Output) -> None:
        """Raises UntrustedError where it cannot even be put out."""
        self._output = output
        self.show(False)

    def show(self, lit: bool) -> None:
        """Light it or put it out, and read it back; raises UntrustedError."""
        try:
            self._output.write(lit)
            found = self._output.read()
        except (OSError, ValueError) as error:
            raise UntrustedError(f"the consent lamp is gone: {error}") from None
        if found != lit:
            does = "does not light" if lit else "does not go out"
            raise UntrustedError(f"the consent lamp {does}: its line is held")

    def close(self) -> None:
        """Put it out and let go of it."""
        try:
            self.show(False)
        finally:
            self._output.release()


def open_lamp(option: str, opener: Callable[[str, int], Output] = REAL) -> ConsentLamp:
    """Open the lamp that ``consent.lamp_line = "CHIP:OFFSET"`` names, dark.

    Raises ConfigError where there is no such line, UntrustedError where the lamp does
    not go out.
    """
    return ConsentLamp(opener(*parse_place(OPTION, option)))
