"""``doorsill first-boot``: from a flashed card to a camera that counts."""

from __future__ import annotations

import argparse
import logging
import select
import sys
import time

from doorsill.documents.boot.steps import Step
from doorsill.errors import ConfigError
from doorsill.process.stopping import Stop, listen
from doorsill.services.first_boot import FirstBoot, Places, Showing
from doorsill.services.first_boot_machine import Systemd

log = logging.getLogger(__name__)


class Lamp:
    """The status lamp, or none where the machine has no such line."""

    def __init__(self, line: str) -> None:
        from doorsill.drivers.gpio.status_lamp import open_status_lamp

        self._lamp = open_status_lamp(line)

    def show(self, step: Step) -> None:
        """Show its pattern."""
        self._lamp.show(step.pattern)


def run(args: argparse.Namespace) -> int:
    """Take step after step until a signal comes."""
    stop = listen()
    logging.getLogger("doorsill").setLevel(logging.INFO)
    places = Places(args.boot, args.to, args.root)
    first = FirstBoot(places, Systemd(), _lamp(args.lamp))
    first.set_saved_network()
    while not stop.asked:
        _wait(stop, first.turn(time.monotonic()))
    return 0


def _lamp(line: str) -> Showing | None:
    if not line:
        return None
    try:
        return Lamp(line)
    except ConfigError as error:
        sys.stderr.write(f"no status lamp: {error}\n")
    return None


def _wait(stop: Stop, seconds: float) -> None:
    select.select([stop.bell()], [], [], seconds)
