"""A process gives up, for good, what its job does not need. Read this first.

    restrict(keep)   a room: a mount namespace with nothing but what is named
                     harden: no new privileges, no core dump, no swap, no new code
                     landlock: no path but what is named, where the kernel has it
    close(keep)      seccomp: no system call but those on the process's list
    confine(keep)    both, one after the other

A process that must open a camera between the two calls them one by one, because
libcamera starts threads and needs calls that no list allows. Other processes call
``confine``. The second works on every kernel and binds every thread; SECURITY.md says
which lock closes which way out. Neither can be undone, and child processes inherit
both.

Source: landlock(7), seccomp(2), prctl(2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from doorsill.errors import ConfigError
from doorsill.process import calls, landlock, locks, room, seccomp
from doorsill.process.hardening import harden
from doorsill.process.kernel import prctl

PR_SET_NAME = 15  # prctl(2): the name that ps shows


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process keeps; it gives up everything that is not named here."""

    process: str  # key of calls.PROCESSES: the list of system calls that it may make
    # Folders below which it may write, or device files that it may open for writing
    # before close(); all must exist.
    writable: Sequence[Path] = ()
    # Places that it may read and whose sockets it may connect to, besides the program
    # and the system's own. A place that does not exist is left out.
    visible: Sequence[Path] = ()
    ports: Sequence[int] = ()  # TCP ports that it may connect to


class Room(Enum):
    """How much a process needs a mount namespace of its own."""

    NEVER = "never"  # its list of calls is enough, or it can reach nothing
    INSTEAD = "instead of landlock"  # one of the two must be there; both if possible
    ALWAYS = "always"  # it may connect to sockets, which landlock cannot limit


ROOMS = {
    "vision": Room.NEVER,
    "connector": Room.NEVER,
    "uplink": Room.INSTEAD,
    "policy": Room.INSTEAD,
    "vault": Room.ALWAYS,
}


def confine(keep: Confinement) -> None:
    """Give up everything but ``keep``, now and for good.

    Raises ConfigError if the kernel cannot do it; the process must then not go on.
    """
    restrict(keep)
    close(keep)


def restrict(keep: Confinement) -> None:
    """The first half: paths. To be called while there is one thread, first of all.

    Raises ConfigError if there are two threads, a path is missing, or the kernel gives
    neither of the locks that the process needs; the process must then not go on.
    """
    _require_one_thread()
    keep = _absolute(keep)
    if ROOMS[keep.process] is not Room.NEVER:
        _go_into_a_room(keep)
    harden()
    readable = None
    if ROOMS[keep.process] is not Room.NEVER:
        readable = [*room.program_paths(), *keep.visible, *room.harmless_devices()]
    locks.note_landlock(landlock.restrict(keep.writable, readable, keep.ports))


def _absolute(keep: Confinement) -> Confinement:
    """``keep`` with absolute paths; ConfigError if a writable one is missing."""
    for path in keep.writable:
        if not path.exists():
            raise ConfigError(f"{path} must exist before the process confines itself")
    return replace(
        keep,
        writable=[each.absolute() for each in keep.writable],
        visible=[each.absolute() for each in keep.visible if each.exists()],
    )


def _go_into_a_room(keep: Confinement) -> None:
    """Use the room that its systemd unit made, or else make one."""
    if left := room.left_by_unit(keep.writable, keep.visible):
        try:
            room.enter(keep.writable, keep.visible)
        except OSError as error:
            if ROOMS[keep.process] is Room.INSTEAD and landlock.version() > 0:
                return
            raise ConfigError(
                f"{keep.process} needs a mount namespace of its own: no unit gives it "
                f"one ({left[0]}), and the kernel refuses one ({error.strerror}); "
                "start it by its unit, or as root, or allow user namespaces"
            ) from None
    locks.note_room()


def close(keep: Confinement) -> None:
    """The second half: system calls, of all threads.

    Raises ConfigError if the kernel has no seccomp or the machine is not known.
    """
    machine = seccomp.machine()
    prctl(PR_SET_NAME, f"doorsill-{keep.process}".encode())
    rules, absent = calls.rules_for(keep.process, machine, os.getpid())
    lines = seccomp.program(seccomp.AUDIT_ARCH[machine], rules, absent, calls.NEWEST)
    seccomp.install(lines)


def _require_one_thread() -> None:
    """ConfigError with two threads: landlock binds only the thread that calls it."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise ConfigError(
            f"the process has {threads} threads before it confines itself; "
            "it must have 1 (is OPENBLAS_NUM_THREADS set to 1?)"
        )
