"""A camera's processes as children: started, stopped in turn, all gone at the end."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from doorsill.config import LASTING, Config
from doorsill.documents.folders import make_folder
from doorsill.process.holder import RUN_LOCK, hold_alone
from doorsill.process.stopping import PARENT, held_back

log = logging.getLogger(__name__)

STOP_WITHIN_S = 10.0  # for a process to end after SIGTERM
KILLED_WITHIN_S = 5.0  # for the kernel to end it after SIGKILL
# With it, small blocks are overwritten too when they are freed; see process/hardening.
WIPING = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def prepare(config: Config) -> None:
    """Make the folders and put a newer policy in force, as the systemd units do.

    Raises ConfigError or UntrustedError if no policy is in force then.
    """
    make_folder(config.device.run)
    hold_alone(config.device.run / RUN_LOCK)
    for path in (config.policy_in_force, config.outbox, config.arrived):
        make_folder(path.parent)
    from doorsill.services.policies import store_of

    store_of(config).take_over(config.policy.file)


def names_of(config: Config) -> tuple[str, ...]:
    """Which processes a configuration asks for: a vault only with [consent]."""
    return tuple(each for each in LASTING if each != "vault" or config.consent)


@contextmanager
def children(
    config: Path, names: tuple[str, ...], log_to: IO[bytes] | None = None
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The named processes as children; all of them have ended when this is left.

    Their standard error goes to ``log_to``, or to our own.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            running[name] = start_child(config, name, log_to)
        yield running
    finally:
        _stop(running)


def start_again(
    config: Path, running: dict[str, subprocess.Popen[bytes]], names: Iterable[str]
) -> None:
    """Stop those of ``names`` that run, and start them: they read their files again."""
    for name in names:
        if name in running:
            _stop({name: running[name]})
            running[name] = start_child(config, name)


def start_child(
    config: Path, name: str, log_to: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start one process as a child, with signals held back until it handles them.

    It has a session of its own and no terminal, because a process under an attacker's
    control could type into ours. It ends when this process does, however that ends.
    """
    command = [sys.executable, "-m", "doorsill", "run", "--only", name]
    with held_back():
        return subprocess.Popen(
            [*command, "--config", str(config)],
            env={**os.environ, **WIPING, PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stderr=log_to,
            start_new_session=True,
        )


def _stop(running: dict[str, subprocess.Popen[bytes]]) -> None:
    """SIGTERM from vision on, one after the other, so that the last window goes out."""
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
