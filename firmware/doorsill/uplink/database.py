"""The outbox's file: opened and checked, or moved aside where it is broken."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from doorsill.uplink.rows import TABLES

log = logging.getLogger(__name__)

FORMAT = 2
_FROM_1 = "DROP TABLE IF EXISTS running; DROP TABLE IF EXISTS seen;"


def opened(path: Path) -> sqlite3.Connection:
    """The file at ``path``, made where there is none, every commit durable.

    Raises OSError or sqlite3.Error; DatabaseError itself where the file is broken.
    """
    path.touch(mode=0o600)
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, 1, FORMAT):
            raise sqlite3.DatabaseError(f"format {version} is not {FORMAT}")
        database.executescript(
            f"BEGIN; {_FROM_1} {TABLES} PRAGMA user_version={FORMAT}; END"
        )
    except sqlite3.Error:
        database.close()
        raise
    return database


def moved_aside(path: Path, reason: sqlite3.DatabaseError) -> None:
    """Keep the broken file for a technician, one at most."""
    broken = path.with_suffix(".broken")
    log.error("outbox %s is broken (%s); set aside as %s", path, reason, broken)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(broken)
