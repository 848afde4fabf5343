"""What every process of ours gives up, whatever its job is.

No new privileges, no core dump, unreadable by its peers, no page that is writable and
executable, no swap, and what is freed is wiped.
"""

from __future__ import annotations

import ctypes
import resource

from doorsill.errors import ConfigError
from doorsill.process.kernel import prctl, require

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_GET_MDWE = 4, 38, 65, 66
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
M_PERTURB, WIPED = -6, 0xFF  # malloc.h; what is freed becomes this, what is new 0

_libc = ctypes.CDLL(None, use_errno=True)


def harden() -> None:
    """No new privileges, no core dump, no peeking, no writable code, no swap.

    Locking memory is left out where the limit on it is too low (a laptop); the
    systemd unit raises that limit and forbids swap besides.
    """
    require(prctl(PR_SET_NO_NEW_PRIVS, 1), "forbid new privileges")
    require(prctl(PR_SET_DUMPABLE, 0), "make the memory undumpable")
    forbid_core_dumps()
    prctl(PR_SET_MDWE, 1)  # Linux 6.3; the unit asks for it as well
    _libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)
    wipe_freed_memory()


def forbid_core_dumps() -> None:
    """A process that crashes leaves no picture of its memory; before all else."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def wipe_freed_memory() -> None:
    """From now on the C library overwrites every block that is freed.

    So a picture that a decoder, a scaler or an array let go of is gone with it: see
    mallopt(3), M_PERTURB. Blocks up to 1 KiB would wait in a thread's cache as they
    are; the units and ``doorsill run`` switch that off (glibc.malloc.tcache_count=0).
    Raises ConfigError where the C library cannot do it.
    """
    if _libc.mallopt(M_PERTURB, WIPED) != 1:
        raise ConfigError("the C library cannot wipe the memory that is freed")
