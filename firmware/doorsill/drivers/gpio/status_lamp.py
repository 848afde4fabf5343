"""The status lamp on a GPIO line (libgpiod 2): how far a camera is, for a technician.

It is not the consent lamp, and nothing depends on it: one that is missing or fails is
said once, and the camera goes on. Wired as the consent lamp, dark while not driven.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import gpiod

from doorsill.drivers.gpio.output import GpiodOutput, Output
from doorsill.errors import ConfigError

log = logging.getLogger(__name__)

Pattern = Iterable[tuple[bool, float]]  # lit or dark, and for how many seconds
OPTION = "status_line"  # what a refused line is called
ENDS_WITHIN_S = 5.0  # for its thread


class StatusLamp:
    """Repeats one pattern until another is shown; dark before the first one."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._pattern: Callable[[], Pattern] = tuple
        self._changed = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, pattern: Callable[[], Pattern]) -> None:
        """Begin ``pattern`` now; it is called for each round."""
        self._pattern = pattern
        self._changed.set()

    def close(self) -> None:
        """Put it out and let go of it."""
        self._ended = True
        self._changed.set()
        self._thread.join(ENDS_WITHIN_S)

    def _run(self) -> None:
        try:
            self._output.write(False)
            while not self._ended:
                self._round()
            self._output.write(False)
        except (OSError, ValueError) as error:
            log.warning("the status lamp is gone: %s", error)
        finally:
            self._output.release()

    def _round(self) -> None:
        """One round of the pattern, or until there is another one."""
        self._changed.clear()
        shown = False
        for lit, seconds in self._pattern():
            shown = True
            self._output.write(lit)
            if self._changed.wait(seconds):
                return
        if not shown:
            self._changed.wait(1.0)


def open_status_lamp(line: str) -> StatusLamp:
    """The lamp on the line of this name, as ``GPIO24``, or at ``CHIP:OFFSET``.

    A name is the same on all boards. Raises ConfigError where there is no such line.
    """
    chip, colon, offset = line.rpartition(":")
    if colon and offset.isdecimal():
        return StatusLamp(GpiodOutput(OPTION, chip, int(offset)))
    return StatusLamp(GpiodOutput(OPTION, *_find(line)))


def _find(name: str) -> tuple[str, int]:
    for path in sorted(Path("/dev").glob("gpiochip*")):
        try:
            with gpiod.Chip(str(path)) as chip:
                return str(path), chip.line_offset_from_id(name)
        except OSError:
            continue
    raise ConfigError(f"there is no GPIO line named {name}")
