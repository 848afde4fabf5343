"""Which policy a running process obeys, and whether another one is in force by now.

    Obedience(path) ─► load ─► declare(digest) ─► is_replaced()? ─► end, to start again

A confined process cannot change what it may do, so it does not take another policy. It
ends within a second, and the process that started it starts it again. It declares which
policy it obeys in a file that it keeps locked for as long as it lives.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from doorsill.errors import ConfigError
from doorsill.process.holder import already

DIGEST_CHARACTERS = 64  # of a SHA-256, hexadecimal

State = tuple[int, int, int, int] | None


class Obedience:
    """To be made *before* the policy is loaded, so that no change is missed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = _state_of(path)

    def is_replaced(self) -> bool:
        """Whether there is another policy at the path now, or none."""
        return _state_of(self._path) != self._state

    def renew(self) -> None:
        """Take the policy that is at the path now for the one that is obeyed."""
        self._state = _state_of(self._path)


def declare(path: Path, digest: str) -> int:
    """Declare in ``path`` that this process obeys the policy ``digest``.

    Returns a handle that the caller keeps: its lock ends with the process, and the
    declaration with it. The handle is read-only, because a process that sees pixels may
    keep nothing that it could write to. Raises ConfigError if another process has the
    lock, or the file cannot be written.
    """
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, os.O_RDONLY | flags, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        writing = os.open(path, os.O_WRONLY | os.O_TRUNC | flags)
        os.pwrite(writing, digest.encode("ascii"), 0)
        os.close(writing)
    except BlockingIOError:
        raise ConfigError(already(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    return handle


def read_declaration(path: Path) -> str | None:
    """The digest that a running process obeys; None if none runs.

    Raises ConfigError if this user may not read it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, DIGEST_CHARACTERS, 0).decode("ascii", "replace")
    finally:
        os.close(handle)
    return None


def _state_of(path: Path) -> State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
