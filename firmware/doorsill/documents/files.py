"""Checks before a command writes: it replaces no file by accident."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from doorsill.errors import ConfigError


def require_new(path: Path, *, force: bool | None = None) -> None:
    """ConfigError if ``path`` exists, unless ``force``; None: there is no --force."""
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir():
        raise ConfigError(f"cannot write {path}: it is a folder")
    if path.exists() and not path.is_file():
        raise ConfigError(f"cannot write {path}: it is no file, and is not replaced")
    if not force:
        way = "" if force is None else ", or --force"
        raise ConfigError(f"{path} exists; give another name{way}")


def require_apart(path: Path, read: Iterable[Path]) -> None:
    """ConfigError if ``path`` is one of the files in ``read``."""
    for each in read:
        if each.exists() and path.exists() and path.samefile(each):
            raise ConfigError(f"{path} is what is read; give another name")


def require_empty(folder: Path) -> None:
    """ConfigError if ``folder`` is not empty, or cannot be made."""
    nearest = next(
        each for each in (folder, *folder.absolute().parents) if each.exists()
    )
    if not nearest.is_dir():
        raise ConfigError(f"{nearest} is a file, and no folder; give another name")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds files already; give a new folder")
