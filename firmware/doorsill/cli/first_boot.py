"""``doorsill first-boot``: from a flashed card to a camera that counts."""

from __future__ import annotations

import argparse
import logging
import select
import time

from doorsill.documents.boot.steps import STARTS, Step
from doorsill.drivers.gpio.status_lamp import StatusLamp, open_status_lamp
from doorsill.errors import ConfigError
from doorsill.process.stopping import Stop, listen
from doorsill.services.first_boot import FirstBoot, Places
from doorsill.services.first_boot_machine import Systemd

log = logging.getLogger(__name__)


class Lamp:
    """The status lamp; its line may come later than we, or never."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._lamp: StatusLamp | None = None
        self._step = STARTS
        self._said = ""

    def show(self, step: Step) -> None:
        """Show its pattern."""
        self._step = step
        if self._lamp is not None:
            self._lamp.show(step.pattern)

    def look(self) -> None:
        """Look for the line, where it was not there; what is wrong is said once."""
        if self._lamp is not None or not self._line:
            return
        try:
            self._lamp = open_status_lamp(self._line)
        except ConfigError as error:
            if str(error) != self._said:
                log.warning("no status lamp: %s", error)
            self._said = str(error)
        else:
            self._lamp.show(self._step.pattern)


def run(args: argparse.Namespace) -> int:
    """Take step after step until a signal comes."""
    stop = listen()
    logging.getLogger("doorsill").setLevel(logging.INFO)
    places = Places(args.boot, args.to, args.root)
    lamp = Lamp(args.lamp)
    first = FirstBoot(places, Systemd(), lamp)
    first.set_saved_network()
    while not stop.asked:
        lamp.look()
        _wait(stop, first.turn(time.monotonic()))
    return 0


def _wait(stop: Stop, seconds: float) -> None:
    select.select([stop.bell()], [], [], seconds)
