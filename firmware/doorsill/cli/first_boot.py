"""``doorsill first-boot``: from a flashed card to a camera that counts."""

from __future__ import annotations

import argparse
import logging
import select
import time

from doorsill.drivers.gpio.status_lamp import SoughtLamp
from doorsill.process.stopping import Stop, listen
from doorsill.services.first_boot import FirstBoot, Places
from doorsill.services.first_boot_machine import Systemd


def run(args: argparse.Namespace) -> int:
    """Take step after step until a signal comes."""
    stop = listen()
    logging.getLogger("doorsill").setLevel(logging.INFO)
    places = Places(args.boot, args.to, args.root)
    lamp = SoughtLamp(args.lamp)
    first = FirstBoot(places, Systemd(), lamp)
    first.set_saved_network()
    while not stop.asked:
        lamp.look()
        _wait(stop, first.turn(time.monotonic()))
    return 0


def _wait(stop: Stop, seconds: float) -> None:
    select.select([stop.bell()], [], [], seconds)
