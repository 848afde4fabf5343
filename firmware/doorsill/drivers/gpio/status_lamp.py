"""The status lamp on a GPIO line (libgpiod 2): how far a camera is, for a technician.

It is not the consent lamp, and nothing depends on it: one that is missing or fails is
said once, and the camera goes on; its line is sought again. Wired as the consent lamp,
dark while not driven.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import gpiod

from doorsill.documents.boot.steps import STARTS, Step
from doorsill.drivers.gpio.output import GpiodOutput, Output
from doorsill.errors import ConfigError

log = logging.getLogger(__name__)

Pattern = Iterable[tuple[bool, float]]  # lit or dark, and for how many seconds
OPTION = "status_line"  # what a refused line is called
ENDS_WITHIN_S = 5.0  # for its thread
AGAIN_S = 5.0  # a level is written again then, so that a chip that went shows


class StatusLamp:
    """Repeats one pattern until another is shown; dark before the first one."""

    def __init__(self, output: Output, again_s: float = AGAIN_S) -> None:
        self._output = output
        self._again_s = again_s
        self._pattern: Callable[[], Pattern] = tuple
        self._changed = threading.Event()
        self._ended = self._gone = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, pattern: Callable[[], Pattern]) -> None:
        """Begin ``pattern`` now; it is called for each round."""
        self._pattern = pattern
        self._changed.set()

    @property
    def gone(self) -> bool:
        """Whether its line failed; it is let go of then."""
        return self._gone

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
            self._gone = True
        finally:
            self._output.release()

    def _round(self) -> None:
        """One round of the pattern, or until there is another one."""
        self._changed.clear()
        shown = False
        for lit, seconds in self._pattern():
            shown = True
            if self._hold(lit, seconds):
                return
        if not shown:
            self._changed.wait(1.0)

    def _hold(self, lit: bool, seconds: float) -> bool:
        """Lit or dark for ``seconds``; whether there is another pattern before that."""
        ends = time.monotonic() + seconds
        while True:
            self._output.write(lit)
            left = ends - time.monotonic()
            if self._changed.wait(min(max(left, 0.0), self._again_s)):
                return True
            if left <= self._again_s:
                return False


class SoughtLamp:
    """The lamp on a line that may come late, go, and come again."""

    def __init__(
        self, line: str, opener: Callable[[str], StatusLamp] | None = None
    ) -> None:
        """``line`` as in :func:`open_status_lamp`, the usual opener; "" for none."""
        self._usual = self._line = line
        self._opener = opener or open_status_lamp
        self._lamp: StatusLamp | None = None
        self._step = STARTS
        self._said = ""  # what is wrong with the line

    def show(self, step: Step) -> None:
        """Show its pattern, now or when the line comes."""
        self._step = step
        if self._lamp is not None:
            self._lamp.show(step.pattern)

    def use(self, line: str) -> None:
        """Its line from now on, "" for the usual one; that of before goes dark."""
        wanted = line or self._usual
        if wanted != self._line and self._lamp is not None:
            self._lamp.close()
            self._lamp = None
        self._line = wanted

    def look(self) -> None:
        """Look for the line where there is none; to be called again and again."""
        if self._lamp is not None and self._lamp.gone:
            self._lamp = None
        if self._lamp is None and self._line:
            self._seek()

    def _seek(self) -> None:
        """What is wrong is said once, until the line was there again."""
        try:
            self._lamp = self._opener(self._line)
        except ConfigError as error:
            if str(error) != self._said:
                log.warning("no status lamp: %s", error)
            self._said = str(error)
        else:
            self._said = ""
            log.info("the status lamp is on %s", self._line)
            self._lamp.show(self._step.pattern)


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
