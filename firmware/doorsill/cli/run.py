"""``doorsill run``: count at a door.

With ``--only`` it is one process, and systemd manages the processes. Without it, all
processes are started side by side, for a laptop. A process that lost its camera is
started again after a wait, while the others go on. If a process ends for another
reason, all are stopped, and the caller decides what to do.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import subprocess
import time
from pathlib import Path

from doorsill.config import (
    PROCESSES,
    Config,
    load_config,
    refuse_network_camera,
)
from doorsill.errors import DoorsillError
from doorsill.policy.obedience import Obedience
from doorsill.process.backoff import Failures
from doorsill.process.stopping import Stop, Stopped, end_with_parent, listen
from doorsill.services.children import (
    children,
    names_of,
    prepare,
    start_again,
    start_child,
)
from doorsill.services.deciding import Deciding
from doorsill.services.renewal import Renewal

log = logging.getLogger(__name__)

POLL_S = 0.2  # between two checks of the processes
WITH_A_KEY = ("uplink", "vault")  # processes that hold the device's key
CAMERA_LOST = 4  # the exit code of a process whose camera must be opened again


def run(args: argparse.Namespace) -> int:
    """Run one process, or all side by side; the exit code of the first that ends."""
    config = load_config(args.config)
    if config.camera.driver == "video":
        refuse_network_camera(config.camera.source)
    stop = listen()
    end_with_parent()
    try:
        return _run(args, config, stop)
    except (DoorsillError, Stopped) as error:
        if not stop.asked:
            raise
        log.info("stopped%s", f"; meanwhile: {error}" if str(error) else "")
        return 0


def _run(args: argparse.Namespace, config: Config, stop: Stop) -> int:
    if args.only:
        importlib.import_module(PROCESSES[args.only]).main(config)
        return 0
    prepare(config)
    stop.check()
    obeyed = {name: Obedience(config.policy_in_force) for name in names_of(config)}
    deciding = Deciding(args.config, config.arrived)
    renewal = Renewal(config.broker.certificate)
    with children(args.config, names_of(config)) as running:
        try:
            return _watch(args.config, running, obeyed, (deciding, renewal), stop)
        finally:
            deciding.stop()
            renewal.stop()


def _watch(
    config: Path,
    running: dict[str, subprocess.Popen[bytes]],
    obeyed: dict[str, Obedience],
    beside: tuple[Deciding, Renewal],
    stop: Stop,
) -> int:
    """Wait for a signal, or for a child that ends for good; returns its exit code.

    A child that ended because another policy is in force is started again at once. One
    that lost its camera is started again after a wait.
    """
    deciding, renewal = beside
    failures = {name: Failures() for name in running}
    due: dict[str, float] = {}  # when a child without camera starts again, monotonic s
    for each in failures.values():
        each.works(time.monotonic())
    while not stop.asked:
        deciding.turn(time.monotonic())
        if renewal.turn(time.monotonic()):
            start_again(config, running, WITH_A_KEY)
        for name in list(running):
            now = time.monotonic()
            if now < due.get(name, 0.0):
                continue
            if due.pop(name, None) is not None:
                running[name] = start_child(config, name)
                failures[name].works(now)
            code = running[name].poll()
            if code == 0 and obeyed[name].is_replaced():
                obeyed[name].renew()
                running[name] = start_child(config, name)
            elif code == CAMERA_LOST:
                wait = failures[name].failed(now)
                due[name] = now + wait
                log.warning(
                    "%s lost its camera and is started again in %g s", name, wait
                )
            elif code is not None:
                log.error("%s ended with %d; the others are stopped", name, code)
                return code if code > 0 else 1
        time.sleep(POLL_S)
    return 0
