"""``doorsill-fleet simulate``: cameras without a lens, until they are stopped."""

from __future__ import annotations

import argparse
import csv
import io
import logging
import random
import select
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from doorsill.documents.reading import read_file
from doorsill.documents.voucher import Voucher, read_voucher
from doorsill.errors import ConfigError, UplinkError
from doorsill.process.holder import hold_alone
from doorsill.process.stopping import listen
from doorsill_fleet.ca.authority import require_name
from doorsill_fleet.registry.handing_out import TABLE
from doorsill_fleet.stage.simulated import SimulatedCamera, enrol

TURN_S = 0.1  # between two turns of all cameras


def run(args: argparse.Namespace) -> int:
    """Enrol those that are not, then count until a signal, or for ``args.seconds``."""
    if not args.verbose:
        for room in ("uplink", "services"):  # 22 times the words of one camera
            logging.getLogger(f"doorsill.{room}").setLevel(logging.WARNING)
    wanted = list(vouchers(args.vouchers))
    args.to.mkdir(parents=True, exist_ok=True)
    hold_alone(args.to / "lock")
    console = Console(stderr=True)
    folders = []
    for number, (name, voucher) in enumerate(wanted, 1):
        with console.status(f"enrols camera {number} of {len(wanted)}"):
            folders.append(_joined(args.to / name, voucher, args.wait))
    sys.stdout.write(f"{len(folders)} cameras are enrolled; they count\n")
    sys.stdout.flush()
    cameras = [SimulatedCamera(each, _dice()) for each in folders]
    try:
        _last(cameras, args.seconds, console)
    finally:
        for camera in cameras:
            camera.leave()
    came = sum(each.came_in for each in cameras)
    sys.stdout.write(f"{came:,} people came in at {len(cameras)} simulated doors\n")
    return 0


def vouchers(path: Path) -> Iterator[tuple[str, Voucher]]:
    """Folder and voucher of each camera in the table of `device add`."""
    text = read_file(path).decode("utf-8", "replace")
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != TABLE:
        raise ConfigError(f"{path} is no table of vouchers: `device add` writes one")
    for row in rows:
        site, device = require_name(row["site"]), require_name(row["device"])
        try:
            yield f"{site}_{device}", read_voucher(row["voucher"])
        except ConfigError as error:
            raise error.of(path) from None


def _joined(folder: Path, voucher: Voucher, wait_s: float) -> Path:
    """The folder of a camera that is enrolled; a voucher is good once.

    A fleet that does not answer yet is asked again for ``wait_s``.
    """
    if not (folder / "device.crt").exists():
        enrol(folder, voucher, wait_s, sys.stderr.write)
    return folder


def _dice() -> random.Random:
    return random.SystemRandom()


def _last(
    cameras: Sequence[SimulatedCamera], seconds: float | None, console: Console
) -> None:
    """Until a signal, or for ``seconds``; UplinkError if no broker was ever reached."""
    stop = listen()
    bell = stop.bell()
    ends = None if seconds is None else time.monotonic() + seconds
    for camera in cameras:
        camera.start()
    reached = 0
    with console.status(_words(cameras)) as shown:
        while not stop.asked and (ends is None or time.monotonic() < ends):
            select.select([bell], [], [], TURN_S)
            for camera in cameras:
                camera.step()
            reached = max(reached, sum(each.is_connected for each in cameras))
            shown.update(_words(cameras))
    if not reached:
        raise UplinkError(cameras[0].uplink.away or "the broker was never reached")


def _words(cameras: Sequence[SimulatedCamera]) -> str:
    connected = sum(each.is_connected for each in cameras)
    came = sum(each.came_in for each in cameras)
    return f"{connected} of {len(cameras)} cameras connected, {came:,} came in"
