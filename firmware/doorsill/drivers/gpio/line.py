"""A key switch on a GPIO line (libgpiod 2): one more condition, never the consent.

A line has no secret and can be bridged with a wire, so that it is on opens nothing
alone. A line that is gone or has a fault counts as off. Wired so that a broken wire
reads off (pull-down, active high).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from doorsill.errors import ConfigError

try:
    import gpiod
    from gpiod.line import Bias, Direction, Edge, Value
except ImportError:
    raise ConfigError("a key switch needs gpiod: pip install 'doorsill[pi]'") from None

log = logging.getLogger(__name__)

WAIT_S = 0.25  # close() waits for the loop this long at most
STEADY_S = 0.05  # on counts after this time, as a contact bounces; off counts at once


class Line(Protocol):
    """One requested line; the fake in ``fake.py`` is another."""

    def read(self) -> bool:
        """Its level now; OSError where the chip is gone."""

    def wait(self, seconds: float) -> bool:
        """Whether it changed within ``seconds``; the edges are then used up."""

    def release(self) -> None:
        """Give it back."""


class GpiodLine:
    """A line of the chip at ``/dev/gpiochipN``, or of the chip with that label.

    Chips are better named by label: numbers differ between boards and kernels.
    """

    def __init__(self, chip: str, offset: int) -> None:
        self._offset = offset
        settings = gpiod.LineSettings(
            direction=Direction.INPUT, edge_detection=Edge.BOTH, bias=Bias.PULL_DOWN
        )
        self._request = request_line("gpio_line", chip, offset, settings)

    def read(self) -> bool:
        """Whether the switch is on."""
        return bool(self._request.get_value(self._offset) is Value.ACTIVE)

    def wait(self, seconds: float) -> bool:
        """See :class:`Line`; edges come from the kernel, nothing is polled."""
        if not self._request.wait_edge_events(timedelta(seconds=seconds)):
            return False
        self._request.read_edge_events()
        return True

    def release(self) -> None:
        """Give the line back to the kernel."""
        self._request.release()


class KeySwitch:
    """The levels of one line, on only when it has been on for STEADY_S."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._closed = threading.Event()

    def levels(self) -> Iterator[bool]:
        """The level now, then each change, until ``close``; a fault ends with off."""
        given: bool | None = None
        try:
            while not self._closed.is_set():
                level = self._line.read() and not self._line.wait(STEADY_S)
                level = level and self._line.read()
                if level != given:
                    given = level
                    yield level
                if self._line.wait(WAIT_S) and given:
                    given = False  # any edge of a line that was on is an off
                    yield False
        except (OSError, ValueError) as error:
            log.warning("the key switch is gone: %s", error)
        finally:
            self._line.release()
        if given is not False:
            yield False

    def close(self) -> None:
        """End the levels."""
        self._closed.set()


def open_switch(
    option: str, opener: Callable[[str, int], Line] = GpiodLine
) -> KeySwitch:
    """Open the switch that ``consent.gpio_line = "CHIP:OFFSET"`` names.

    Raises ConfigError where there is no such line.
    """
    return KeySwitch(opener(*parse_place("gpio_line", option)))


def parse_place(name: str, option: str) -> tuple[str, int]:
    """Chip and offset of ``consent.<name> = "CHIP:OFFSET"``; raises ConfigError."""
    chip, colon, offset = option.rpartition(":")
    if not colon or not chip or not offset.isdecimal():
        raise ConfigError(
            f"consent.{name} = {option!r} must be CHIP:OFFSET, "
            "as pinctrl-rp1:17 or /dev/gpiochip0:17"
        )
    return chip, int(offset)


def request_line(name: str, chip: str, offset: int, settings: Any) -> Any:
    """Request the line from libgpiod, for us alone; raises ConfigError."""
    try:
        return gpiod.request_lines(
            _path_of(name, chip), consumer="doorsill", config={offset: settings}
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"consent.{name} = {chip}:{offset} cannot be used: {error}"
        ) from None


def _path_of(name: str, chip: str) -> str:
    if chip.startswith("/dev/"):
        return chip
    refused = ""
    for path in sorted(Path("/dev").glob("gpiochip*")):
        try:
            with gpiod.Chip(str(path)) as found:
                if found.get_info().label == chip:
                    return str(path)
        except OSError as error:  # it went meanwhile, or is not ours to open
            refused = f"; {path}: {error.strerror}"
    raise ConfigError(
        f"consent.{name}: there is no GPIO chip labelled {chip}{refused}; the vault's "
        "unit sees chips from the next start or `systemctl daemon-reload` on"
    )
