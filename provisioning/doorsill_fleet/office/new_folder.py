"""A folder that is made whole or not at all, and never over another."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doorsill.documents.fields import HOST
from doorsill.errors import ConfigError

PRIVATE = 0o700  # of a folder that holds keys, whatever the umask says


def require_new(folder: Path) -> None:
    """ConfigError if ``folder`` exists, or cannot be made where it is wanted."""
    if folder.exists() or folder.is_symlink():
        raise ConfigError(f"{folder} exists; an authority is never overwritten")
    if not folder.absolute().parent.is_dir():
        raise ConfigError(f"there is no folder {folder.absolute().parent}")


def require_own(folder: Path) -> None:
    """ConfigError where we are root and ``folder`` is another user's.

    What root writes there is root's, and a service of that user could not read it.
    """
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot look into {folder}: {error.strerror}") from None
    if os.geteuid() == 0 != owner:
        name = _user(owner)
        raise ConfigError(
            f"{folder} is {name}'s; do it as that user: "
            f"runuser -u {name} -- doorsill-fleet …"
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A temporary folder, which becomes ``folder`` at the end; or nothing is left.

    Raises ConfigError where the disk does not take it, or another program makes a
    folder beside it at the same time. What a power cut left goes first.
    """
    folder = folder.absolute()
    part = folder.with_name(f".{folder.name}")
    try:
        with _alone(folder.parent) as parent:
            shutil.rmtree(part, ignore_errors=True)
            try:
                make_private(part)
                yield part
                require_new(folder)
                part.rename(folder)
                os.fsync(parent)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        why = f"{error.strerror or error}; nothing is left of it"
        raise ConfigError(f"cannot make {folder}: {why}") from None


def make_private(folder: Path) -> None:
    """Make ``folder`` for its owner alone."""
    folder.mkdir(mode=PRIVATE)
    folder.chmod(PRIVATE)


def require_host(host: str) -> None:
    """ConfigError unless ``host`` can be a host name or an address."""
    if not re.fullmatch(HOST, host):
        raise ConfigError(f"{host[:60]!r} is no host name or address")


@contextmanager
def _alone(parent: Path) -> Iterator[int]:
    """The handle of ``parent``, which no other program of ours has meanwhile."""
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    except BlockingIOError:
        words = f"another program makes a folder in {parent} now; try again after it"
        raise ConfigError(words) from None
    finally:
        os.close(handle)
