"""The marker: on disk while a session is open, for the certificate after a crash.

It holds no key and no name; what a vault that died leaves is told from it once, at the
next start. What it says is not believed beyond its form: a crash may have torn it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from doorsill.certificates import claims
from doorsill.certificates.examine import LATEST_MS, read_lease
from doorsill.documents.fields import Fields
from doorsill.errors import ConfigError
from doorsill.policy import store
from doorsill.vault.chain import LeaseInterval

MARKER_NAME = "open.json"
MARKER_LIMIT = 4096  # bytes that are read of it; it has about 400
UNKNOWN_KEY = "0" * 32  # of a marker that cannot be read

Died = tuple[tuple[LeaseInterval, ...], str]  # the lease, where it is known; key id


def write(folder: Path, interval: LeaseInterval, key_id: str) -> None:
    """Say durably that ``interval`` begins, sealed with the key of that id."""
    text = json.dumps({"key_id": key_id, "lease": asdict(interval)})
    store.replace(folder / MARKER_NAME, text.encode())


def read(folder: Path, earliest_ms: int = 0, latest_ms: int = LATEST_MS) -> Died | None:
    """The session that a crash cut off; a marker that is unreadable is one too.

    What begins before ``earliest_ms`` is not believed: the chain says that it was shut
    then. ``latest_ms`` is now, on a clock that is known to be right; a device that lost
    its clock with its power says what it knows.
    """
    path = folder / MARKER_NAME
    if not os.path.lexists(path):
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MARKER_LIMIT))
    except (OSError, ValueError, RecursionError):
        return (), UNKNOWN_KEY
    return _read_session(found, earliest_ms, latest_ms)


def remove(folder: Path) -> None:
    """What it told is certified."""
    path = folder / MARKER_NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot remove {path}: {error.strerror}") from None


def _read_session(found: Any, earliest_ms: int, latest_ms: int) -> Died:
    problems: list[str] = []
    table = Fields("marker", found, problems)
    key_id = table.text("key_id", "[0-9a-f]{32}", 32)
    read_lease(table.table("lease"))
    table.end()
    if problems:
        return (), UNKNOWN_KEY
    lease = LeaseInterval(**found["lease"])
    begun = lease.reason == claims.DIED and lease.opened_ms == lease.closed_ms
    counted = lease.sealed or lease.sealed_bytes or lease.exported
    if not begun or counted or not earliest_ms <= lease.opened_ms <= latest_ms:
        return (), key_id
    return (lease,), key_id
