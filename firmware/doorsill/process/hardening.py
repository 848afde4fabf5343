"""What every process of ours gives up, independent of its job.

No new privileges, no core dump, no reading by other processes, no memory page that is
both writable and executable, no swap; and freed memory is overwritten.
"""

from __future__ import annotations

import resource

from doorsill.errors import ConfigError
from doorsill.process.kernel import libc, prctl, require

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_GET_MDWE = 4, 38, 65, 66
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
M_PERTURB = -6  # mallopt(3), malloc.h
WIPED = 0xFF  # freed blocks are filled with it, new blocks with its complement, 0


def harden() -> None:
    """No new privileges, core dump, reading by others, writable code, or swap.

    Memory is not locked if the limit on it is too low, as on a laptop; the systemd unit
    raises that limit, and also forbids swap. Raises ConfigError if one of the others
    cannot be done.
    """
    require(prctl(PR_SET_NO_NEW_PRIVS, 1), "forbid new privileges")
    require(prctl(PR_SET_DUMPABLE, 0), "make the memory undumpable")
    forbid_core_dumps()
    prctl(PR_SET_MDWE, 1)  # Linux 6.3; the unit asks for it as well
    libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)
    wipe_freed_memory()


def forbid_core_dumps() -> None:
    """A crash leaves no file with this process's memory; to be called first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def wipe_freed_memory() -> None:
    """From now on the C library overwrites every block that is freed.

    So the picture in a block that a decoder, a scaler or an array frees is gone: see
    mallopt(3), M_PERTURB. Blocks up to 1 KiB would stay as they are in a thread's
    cache; the units and ``doorsill run`` switch that cache off
    (glibc.malloc.tcache_count=0). Raises ConfigError if the C library cannot do it.
    """
    if libc.mallopt(M_PERTURB, WIPED) != 1:
        raise ConfigError("the C library cannot wipe the memory that is freed")
