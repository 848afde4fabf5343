"""The marker: on disk while a session is open, for the certificate after a crash.

It holds no key and no name; what a vault that died leaves is told from it once, at the
next start.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from doorsill.consent.certificate import LeaseInterval
from doorsill.device import policy_store

MARKER_NAME = "open.json"
UNKNOWN_KEY = "0" * 32  # of a marker that cannot be read


def write(folder: Path, interval: LeaseInterval, key_id: str) -> None:
    """Say durably that ``interval`` begins, sealed with the key of that id."""
    text = json.dumps({"key_id": key_id, "lease": asdict(interval)})
    policy_store.replace(folder / MARKER_NAME, text.encode())


def read(folder: Path) -> tuple[tuple[LeaseInterval, ...], str] | None:
    """The session that a crash cut off; a marker that is unreadable is one too."""
    path = folder / MARKER_NAME
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_bytes())
        lease = LeaseInterval(**found["lease"])
        return (lease,), str(found["key_id"])
    except (OSError, ValueError, TypeError, KeyError):
        return (), UNKNOWN_KEY


def remove(folder: Path) -> None:
    """What it told is certified."""
    (folder / MARKER_NAME).unlink(missing_ok=True)
