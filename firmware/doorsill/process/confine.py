"""A process gives up, for good, what its job does not need. Read this first.

    restrict(keep)   a room: a mount namespace with nothing but what is named
                     harden: no new privileges, no core dump, no swap, no new code
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
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from doorsill.errors import ConfigError
from doorsill.process import calls, landlock, locks, room, seccomp
from doorsill.process.hardening import harden
from doorsill.process.kernel import prctl

PR_SET_NAME = 15


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process keeps; everything that is not named here it gives up.

    ``process`` is whose list of system calls holds: a key of ``calls.PROCESSES``.
    ``writable`` are folders below which it may write, or device files it may open for
    writing before :func:`close`; ``visible`` are the places, beside the program and the
    system's own, where it may read and connect to sockets: those that are there.
    ``ports`` are TCP ports that it may connect to.
    """

    process: str
    writable: Sequence[Path] = ()
    visible: Sequence[Path] = ()
    ports: Sequence[int] = ()


class Room(Enum):
    """How much a process needs a mount namespace of its own."""

    NEVER = "never"  # its list of calls holds it, or it has nothing to reach
    INSTEAD = "instead of landlock"  # one of the two, and both where both are there
    ALWAYS = "always"  # it keeps a right to connect, which landlock cannot bound


ROOMS = {
    "vision": Room.NEVER,
    "connector": Room.NEVER,
    "uplink": Room.INSTEAD,
    "vault": Room.ALWAYS,
}


def confine(keep: Confinement) -> None:
    """Give up everything but ``keep``, now and for good.

    Raises ConfigError where the kernel cannot do it; the process must then not go on.
    """
    restrict(keep)
    close(keep)


def restrict(keep: Confinement) -> None:
    """The first half: paths. While there is one thread, before anything is looked at.

    Raises ConfigError with two threads, for a path that is missing, or where the kernel
    gives neither of the locks that the process needs: it must then not go on.
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
    """With whole paths, and those in sight that are there; ConfigError without one."""
    for path in keep.writable:
        if not path.exists():
            raise ConfigError(f"{path} must exist before the process confines itself")
    return replace(
        keep,
        writable=[each.absolute() for each in keep.writable],
        visible=[each.absolute() for each in keep.visible if each.exists()],
    )


def _go_into_a_room(keep: Confinement) -> None:
    """One that its unit made for it, or else one that it makes itself."""
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
