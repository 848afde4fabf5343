"""``doorsill run``: count at a door.

With ``--only`` it is one process, and systemd holds the processes together. Without,
it starts them side by side for a laptop. One that lost its camera is started again,
after a wait, while the others go on; when one ends for another reason all are stopped:
what to do then is for the one who started it.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from doorsill.cli.arguments.run import PROCESSES
from doorsill.config import (
    Config,
    load_config,
    refuse_network_camera,
)
from doorsill.documents.folders import make_folder
from doorsill.errors import DoorsillError
from doorsill.policy.obedience import Obedience
from doorsill.process.backoff import Failures
from doorsill.process.holder import RUN_LOCK, hold_alone
from doorsill.process.stopping import Stop, Stopped, held_back, listen

log = logging.getLogger(__name__)

STOP_WITHIN_S = 10.0
KILLED_WITHIN_S = 5.0  # for the kernel to end it
# So that small blocks are wiped as well when they are freed; see confine.
WIPING = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
POLL_S = 0.2
CAMERA_LOST = 4  # the exit code of a process whose camera must be opened again


def run(args: argparse.Namespace) -> int:
    """Run one process, or all of them side by side; the exit code of the first end."""
    config = load_config(args.config)
    if config.camera.driver == "video":
        refuse_network_camera(config.camera.source)
    stop = listen()
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
    with children(args.config, names_of(config)) as running:
        return _watch(args.config, running, obeyed, stop)


def prepare(config: Config) -> None:
    """Make the folders and put a newer policy in force, as the units do."""
    make_folder(config.device.run)
    hold_alone(config.device.run / RUN_LOCK)
    for path in (config.policy_in_force, config.outbox):
        make_folder(path.parent)
    from doorsill.services.policies import store_of

    store_of(config).take_over(config.policy.file)


def names_of(config: Config) -> tuple[str, ...]:
    """Which processes a configuration asks for: a vault only with [consent]."""
    return tuple(each for each in PROCESSES if each != "vault" or config.consent)


@contextmanager
def children(
    config: Path, names: tuple[str, ...], log_to: IO[bytes] | None = None
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The named processes as children; all of them are gone when this is left.

    What they say goes to ``log_to``, or to where we say it ourselves.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            running[name] = _start(config, name, log_to)
        yield running
    finally:
        _stop(running)


def _start(
    config: Path, name: str, log_to: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """One process as a child; it hears of signals as soon as it listens for them.

    It has a session of its own and no terminal: who is taken over could type into ours.
    """
    command = [sys.executable, "-m", "doorsill", "run", "--only", name]
    with held_back():
        return subprocess.Popen(
            [*command, "--config", str(config)],
            env={**os.environ, **WIPING},
            stdin=subprocess.DEVNULL,
            stderr=log_to,
            start_new_session=True,
        )


def _stop(running: dict[str, subprocess.Popen[bytes]]) -> None:
    """SIGTERM in the order of the flow, so that the last window still goes out."""
    for name, child in running.items():
        child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            log.error("%s does not stop within %g s; killed", name, STOP_WITHIN_S)
            child.kill()
            try:
                child.wait(KILLED_WITHIN_S)
            except subprocess.TimeoutExpired:
                log.error("%s is stuck in the kernel and left behind", name)


def _watch(
    config: Path,
    running: dict[str, subprocess.Popen[bytes]],
    obeyed: dict[str, Obedience],
    stop: Stop,
) -> int:
    """Until a signal, or a child ends that is not started again: its exit code.

    One that ended because another policy is in force is started again at once, one
    that lost its camera after a wait.
    """
    failures = {name: Failures() for name in running}
    due: dict[str, float] = {}  # when those that lost their camera start again, s
    for each in failures.values():
        each.works(time.monotonic())
    while not stop.asked:
        for name in list(running):
            now = time.monotonic()
            if now < due.get(name, 0.0):
                continue
            if due.pop(name, None) is not None:
                running[name] = _start(config, name)
                failures[name].works(now)
            code = running[name].poll()
            if code == 0 and obeyed[name].replaced():
                obeyed[name].renew()
                running[name] = _start(config, name)
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
