"""Files that are written whole or not at all, and secrets that are overwritten."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from doorsill.errors import ConfigError


def put(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write ``path``, whole or not at all; ``private``: for its owner alone."""
    temporary = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    mode = 0o600 if private else 0o644
    try:
        temporary.unlink(missing_ok=True)  # left by a power cut
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
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


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
