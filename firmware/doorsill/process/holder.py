"""Who holds the lock on a file: how one process of ours knows of another."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from doorsill.errors import ConfigError

LOCKS = Path("/proc/locks")  # proc_locks(5)
RUN_LOCK = "doorsill.lock"  # in the run folder, of the one `doorsill run` there


def holder_of(path: Path) -> int | None:
    """The process id of the one that has ``path`` locked by flock; None: nobody.

    Raises ConfigError where this user may not look at ``path``.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"cannot look at {path}: {error.strerror}; run as root"
        ) from None
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    wanted = f"{device}:{found.st_ino}"
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in LOCKS.read_text("ascii").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == wanted and words[4] != "0":
                return int(words[4])
    return None


def hold_alone(path: Path) -> int:
    """Lock ``path`` for as long as this process lives; the handle.

    Raises ConfigError where another process has it, and says which.
    """
    try:
        flags = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags, 0o640)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ConfigError(already(path)) from None
    return handle


def already(path: Path) -> str:
    """The sentence for a second one; ``path`` is the file that the first has locked."""
    first = holder_of(path)
    who = f" (pid {first})" if first else ""
    return f"doorsill already runs here{who}: it holds {path}"
