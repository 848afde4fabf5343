"""A folder that is made whole or not at all, and never over another."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from doorsill.documents.fields import HOST
from doorsill.errors import ConfigError


def require_new(folder: Path) -> None:
    """ConfigError if ``folder`` exists, or cannot be made where it is wanted."""
    if folder.exists():
        raise ConfigError(f"{folder} exists; an authority is never overwritten")
    if not folder.absolute().parent.is_dir():
        raise ConfigError(f"there is no folder {folder.absolute().parent}")


def begin(folder: Path) -> Path:
    """A temporary folder; it is renamed to ``folder`` when it is complete."""
    part = folder.absolute().with_name(f".{folder.absolute().name}")
    shutil.rmtree(part, ignore_errors=True)  # left by a power cut
    part.mkdir(mode=0o700)
    return part


def require_host(host: str) -> None:
    """ConfigError unless ``host`` can be a host name or an address."""
    if not re.fullmatch(HOST, host):
        raise ConfigError(f"{host[:60]!r} is no host name or address")
