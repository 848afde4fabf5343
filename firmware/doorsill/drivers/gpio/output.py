"""One GPIO line that we drive (libgpiod 2): the consent lamp's, or the watchdog's."""

from __future__ import annotations

from typing import Protocol

from doorsill.drivers.gpio.line import request_line
from doorsill.errors import ConfigError

try:
    from gpiod import LineSettings
    from gpiod.line import Direction, Value
except ImportError:
    raise ConfigError("a line needs gpiod: pip install 'doorsill[pi]'") from None


class Output(Protocol):
    """One line that we drive; the fake in ``fake.py`` is another."""

    def write(self, on: bool) -> None:
        """Drive it; OSError where the chip is gone."""

    def read(self) -> bool:
        """What it is driven to; OSError where the chip is gone."""

    def release(self) -> None:
        """Give it back."""


class GpiodOutput:
    """A line of the chip at ``/dev/gpiochipN``, or of the chip with that label."""

    def __init__(self, name: str, chip: str, offset: int) -> None:
        """``name`` is the option of [consent] that names it, for a message."""
        self._offset = offset
        settings = LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
        self._request = request_line(name, chip, offset, settings)

    def write(self, on: bool) -> None:
        """See :class:`Output`."""
        self._request.set_value(self._offset, Value.ACTIVE if on else Value.INACTIVE)

    def read(self) -> bool:
        """See :class:`Output`."""
        return bool(self._request.get_value(self._offset) is Value.ACTIVE)

    def release(self) -> None:
        """See :class:`Output`."""
        self._request.release()
