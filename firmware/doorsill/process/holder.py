"""Which process holds the lock on a file: how our processes know of each other."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from doorsill.errors import ConfigError

LOCKS = Path("/proc/locks")  # proc_locks(5)
MOUNTS = Path("/proc/self/mountinfo")  # proc_pid_mountinfo(5)
RUN_LOCK = "doorsill.lock"  # in the run folder: only one `doorsill run` may hold it


def holder_of(path: Path) -> int | None:
    """The id of the process that has ``path`` locked by flock; None if there is none.

    Raises ConfigError if this user may not inspect ``path``.
    """
    try:
        wanted = _name_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"cannot look at {path}: {error.strerror}; run as root"
        ) from None
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in LOCKS.read_text("ascii").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == wanted and words[4] != "0":
                return int(words[4])
    return None


def _name_of(path: Path) -> str:
    """Device and inode of ``path`` as LOCKS has them: hexadecimal, and decimal.

    btrfs and overlay (a container) give stat(2) another device, so it is asked of the
    mount below; OSError if ``path`` is not there.
    """
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        about = Path(f"/proc/self/fdinfo/{handle}").read_text("ascii")
    finally:
        os.close(handle)
    said = dict(each.split(":", 1) for each in about.splitlines())
    inode = said.get("ino", str(found.st_ino)).strip()  # Linux 5.14
    device = os.major(found.st_dev), os.minor(found.st_dev)
    for line in MOUNTS.read_text(errors="replace").splitlines():
        number, _, place = line.split()[:3]
        if number == said["mnt_id"].strip():
            major, _, minor = place.partition(":")
            device = int(major), int(minor)
    return f"{device[0]:02x}:{device[1]:02x}:{inode}"


def hold_alone(path: Path) -> int:
    """Lock ``path`` for as long as this process lives; returns the handle.

    Raises ConfigError, with its process id, if another process has the lock.
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
    """The sentence for a second process; the first has ``path`` locked."""
    first = holder_of(path)
    who = f" (pid {first})" if first else ""
    return f"doorsill already runs here{who}: it holds {path}"
