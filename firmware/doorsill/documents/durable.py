"""Files that are written whole or not at all, and secrets that are overwritten."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from doorsill.errors import ConfigError

OWNER_ALONE = 0o600  # mode of a secret
FOR_ALL = 0o644  # mode of what another user must read, as a service does


def put(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write ``path``, whole or not at all.

    It has exactly ``mode``; without one that of any new file, less the umask, but its
    owner always reads and writes it.
    """
    temporary = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        temporary.unlink(missing_ok=True)  # left by a power cut
        handle = os.open(temporary, flags, FOR_ALL if mode is None else mode)
        with os.fdopen(handle, "wb") as file:
            given = os.fstat(file.fileno()).st_mode & 0o777
            wanted = given | OWNER_ALONE if mode is None else mode
            if given != wanted:  # a process may be shut to the call, and not need it
                os.fchmod(file.fileno(), wanted)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
            os.fsync(file.fileno())  # a FAT's new name says "empty" until now
        _sync(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def wipe(path: Path) -> None:
    """Overwrite a file and remove it; nothing if it is not there."""
    try:
        with contextlib.suppress(FileNotFoundError):
            with path.open("r+b") as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            _sync(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot wipe {path}: {error.strerror}") from None


def overwrite(path: Path, data: bytes) -> None:
    """Write ``data`` over a file of just that length, and nothing else of the disk.

    On a FAT, where a rename that is cut can lose both names, this alone is safe.
    """
    try:
        with path.open("r+b") as file:
            if os.fstat(file.fileno()).st_size != len(data):
                raise ConfigError(f"{path} has changed meanwhile")
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"cannot overwrite {path}: {error.strerror}") from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
