"""A process gives up, for good, what its job does not need. Read this first.

    restrict(keep)   harden: no new privileges, no core dump, no swap, no new code
                     landlock: no path but what is named, where the kernel has it
    close(keep)      seccomp: no system call but those on the process's list
    confine(keep)    both, one after the other

Who must open a camera between the two (libcamera starts threads, and needs what no
list allows) calls them one by one; others call ``confine``. The second holds on every
kernel and binds every thread; see SECURITY.md for which lock closes which way out.
Neither can be taken back, and all of it is inherited.

Source: landlock(7), seccomp(2), prctl(2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doorsill import calls, landlock, locks, seccomp
from doorsill.errors import ConfigError
from doorsill.hardening import harden
from doorsill.kernel import prctl

PR_SET_NAME = 15


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process keeps; everything that is not named here it gives up.

    ``process`` is whose list of system calls holds: vision, uplink or vault.
    ``writable`` are folders below which it may write, or device files it may open for
    writing before :func:`close`; ``readable`` the only places it may read from, None
    for everywhere; ``ports`` are TCP ports that it may connect to.
    """

    process: str
    writable: Sequence[Path] = ()
    readable: Sequence[Path] | None = None
    ports: Sequence[int] = ()


def confine(keep: Confinement) -> None:
    """Give up everything but ``keep``, now and for good.

    Raises ConfigError where the kernel cannot do it; the process must then not go on.
    """
    restrict(keep)
    close(keep)


def restrict(keep: Confinement) -> None:
    """The first half: paths. While there is one thread, before anything is looked at.

    Raises ConfigError with two threads, for a path that is missing, or where the kernel
    refuses. Without landlock it hardens and goes on: see ``close``.
    """
    _require_one_thread()
    harden()
    locks.note_landlock(landlock.restrict(keep.writable, keep.readable, keep.ports))


def close(keep: Confinement) -> None:
    """The second half: system calls, of all threads; nothing is opened for writing.

    Raises ConfigError where the kernel has no seccomp or the machine is not known.
    """
    machine = seccomp.machine()
    prctl(PR_SET_NAME, f"doorsill-{keep.process}".encode())
    rules, absent = calls.rules_for(keep.process, machine, os.getpid())
    lines = seccomp.program(seccomp.AUDIT_ARCH[machine], rules, absent, calls.NEWEST)
    seccomp.install(lines)


def _require_one_thread() -> None:
    """landlock binds the calling thread and its children, no other."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise ConfigError(
            f"the process has {threads} threads before it confines itself; "
            "it must have 1 (is OPENBLAS_NUM_THREADS set to 1?)"
        )
