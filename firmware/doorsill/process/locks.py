"""Which locks hold in a process, for ``status``, ``check`` and ``health``.

Coarse on purpose: six yes-or-no answers and the landlock ABI.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from doorsill.errors import ConfigError
from doorsill.process import landlock, seccomp
from doorsill.process.hardening import PR_GET_MDWE
from doorsill.process.kernel import call, prctl

GET_ACTION_AVAIL = 2  # seccomp(2)
LANDLOCK_MOST = 7  # the newest ABI that we report

_landlock = 0  # the ABI that this process is closed with; the kernel cannot be asked
_room = False  # whether this process has a mount namespace of its own


class Lock(IntFlag):
    """What can hold a process; several at once."""

    SECCOMP = 1  # the allow list of system calls
    LANDLOCK = 2  # paths, and with newer ABIs ports and signals
    ROOM = 4  # a mount namespace of its own, made by its unit or by itself
    NO_NEW_PRIVILEGES = 8
    NO_NEW_CODE = 16  # no memory that is writable and executable (MDWE, Linux 6.3)
    MEMORY_LOCKED = 32  # none of its memory is swapped out


@dataclass(frozen=True, slots=True)
class Locks:
    """The locks that hold, and the ABI of landlock, 0 to 7."""

    held: Lock
    landlock: int

    @property
    def words(self) -> tuple[str, ...]:
        """For a person: ("seccomp", "landlock 7", "no new privileges")."""
        names = [
            (each.name or "").lower().replace("_", " ")
            for each in Lock
            if each in self.held
        ]
        return tuple(
            f"{name} {self.landlock}" if name == "landlock" else name for name in names
        )

    @property
    def missing(self) -> Lock:
        """The locks that do not hold here."""
        return Lock(sum(Lock)) & ~self.held


def locks() -> Locks:
    """What holds in this process now."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = locks_in(status)
    held |= Lock.NO_NEW_CODE if prctl(PR_GET_MDWE) == 1 else Lock(0)
    held |= Lock.LANDLOCK if _landlock else Lock(0)
    held |= Lock.ROOM if _room else Lock(0)
    return Locks(held, _landlock)


def locks_of(process: int) -> Lock:
    """The locks of another process that can be seen from outside.

    Landlock and MDWE are not among them: the kernel shows them only to the process
    itself. Raises ConfigError if there is no such process or we may not inspect it.
    """
    there = Path("/proc") / str(process)
    try:
        held = locks_in((there / "status").read_text("ascii", errors="replace"))
        ours, its = (
            (each / "ns/mnt").readlink() for each in (Path("/proc/self"), there)
        )
    except OSError as error:
        raise ConfigError(
            f"cannot look at process {process}: {error.strerror}"
        ) from None
    return held | (Lock.ROOM if ours != its else Lock(0))


def probe_locks() -> Locks:
    """The locks that this machine's kernel can give a process, for ``check``."""
    held = Lock.NO_NEW_PRIVILEGES
    kill = ctypes.c_uint32(seccomp.KILL)
    number = seccomp.SECCOMP[seccomp.machine()]
    if call(number, GET_ACTION_AVAIL, 0, ctypes.byref(kill)) == 0:
        held |= Lock.SECCOMP
    held |= Lock.NO_NEW_CODE if prctl(PR_GET_MDWE) >= 0 else Lock(0)
    abi = min(LANDLOCK_MOST, landlock.version())
    held |= Lock.LANDLOCK if abi else Lock(0)
    return Locks(held, abi)


def note_landlock(abi: int) -> None:
    """Remember the ``abi`` by which ``confine`` closed this process; 0 for none."""
    global _landlock
    _landlock = min(LANDLOCK_MOST, abi)


def note_room() -> None:
    """Remember that this process has a mount namespace of its own."""
    global _room
    _room = True


def locks_in(status: str) -> Lock:
    """The locks that ``status``, the text of a /proc/PID/status, speaks of."""
    said = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    held = Lock(0)
    if said.get("Seccomp", "").strip() == "2":
        held |= Lock.SECCOMP
    if said.get("NoNewPrivs", "").strip() == "1":
        held |= Lock.NO_NEW_PRIVILEGES
    if int(said.get("VmLck", "0").split()[0]) > 0:  # in KiB
        held |= Lock.MEMORY_LOCKED
    return held
