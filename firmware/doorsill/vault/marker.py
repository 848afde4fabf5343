"""The marker: on disk while a session is open, for the certificate after a crash.

It holds no key and no name. If the vault dies while it is open, the next start reads
the marker once and certifies what it says. A crash may have torn the marker, so its
form is checked, and a time that cannot be right is not believed.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from doorsill.certificates import claims
from doorsill.certificates.examine import LATEST_MS, read_lease
from doorsill.documents.durable import put
from doorsill.documents.fields import Fields
from doorsill.errors import ConfigError
from doorsill.vault.chain import LeaseInterval

MARKER_NAME = "open.json"
MARKER_LIMIT = 4096  # bytes that are read of a marker; ours has about 400
UNKNOWN_KEY = "0" * 32  # key id of a marker that cannot be read

Died = tuple[tuple[LeaseInterval, ...], str]  # the lease, if it is known; the key id


def write(folder: Path, interval: LeaseInterval, key_id: str) -> None:
    """Say durably that ``interval`` begins and is sealed with the key ``key_id``.

    Raises ConfigError if it cannot be written.
    """
    text = json.dumps({"key_id": key_id, "lease": asdict(interval)})
    put(folder / MARKER_NAME, text.encode())


def read(folder: Path, earliest_ms: int = 0, latest_ms: int = LATEST_MS) -> Died | None:
    """The session that a crash cut off, or None if there is no marker.

    A marker that cannot be read still means that a session was open. A lease that began
    before ``earliest_ms`` (UTC) is not believed: the chain says that the vault was shut
    then. ``latest_ms`` is the time now if the clock is known to be right; a device
    whose clock was lost with its power does not give it.
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
    """Remove the marker, once a certificate says what it said.

    Raises ConfigError if it cannot be removed.
    """
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
