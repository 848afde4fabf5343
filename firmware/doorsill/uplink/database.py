"""The outbox's file: opened and checked, or replaced and set aside if it is broken.

    opened ──► good                             only corruption sets a file aside
       └─ broken ─► salvage into outbox.new ─► outbox.broken-1.db ─► outbox.new is it

A new file is made under another name and renamed when it is whole; so a file of no
length is a damaged one, and not a new one. A file that was set aside keeps its number
and is never overwritten. After a crash between two steps, the next start goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from doorsill.uplink.rows import TABLES
from doorsill.uplink.salvage import PAGE_BYTES, Salvaged, salvage

log = logging.getLogger(__name__)

FORMAT = 3  # of the file, in its user_version
BROKEN_LIMIT = 20  # files set aside; then a technician has to inspect the SD card
SIDES = ("-wal", "-shm")  # files that SQLite keeps beside its own
CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FROM_1 = "DROP TABLE IF EXISTS running; DROP TABLE IF EXISTS seen;"
# A certificate may be longer than other messages. The check is changed where it stands:
# a table that is made again would lie on another page than ``salvage`` expects.
_FROM_2 = (
    "UPDATE sqlite_schema SET sql = replace(sql, 'length(payload) <= 1024', "
    "'length(payload) <= iif(stream = ''certificate'', 4096, 1024)') "
    "WHERE name = 'outbox'"
)


class BrokenError(sqlite3.DatabaseError):
    """The file is damaged; at most a part of it can be read."""


def is_broken(error: sqlite3.Error) -> bool:
    """Whether ``error`` means a damaged file, and not a full disk or our own fault."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, BrokenError) or (
        code is not None and code & 0xFF in CORRUPT
    )


def open_database(path: Path, day: int) -> sqlite3.Connection:
    """The file at ``path``, made if there is none; ``day`` is today in UTC days.

    Raises OSError or sqlite3.Error; see ``is_broken``.
    """
    new = path.with_suffix(".new")
    if not path.exists() and not new.exists():
        _make(new, day, Salvaged(), resets=0)
    if not path.exists():
        _take_place(new, path)
    if path.stat().st_size < PAGE_BYTES:  # SQLite would take it for a new one
        raise BrokenError("shorter than a page")
    return _open_checked(path)


def replace_database(path: Path, day: int, reason: sqlite3.Error) -> sqlite3.Connection:
    """A new file in the place of a broken one, with every row that can be read.

    Raises OSError or sqlite3.Error; the broken file then stays in its place.
    """
    new = path.with_suffix(".new")
    aside = _next_number(path)
    found = salvage(path)
    _make(new, day, found, resets=found.counters.resets + 1)
    log.error(
        "outbox %s is broken (%s): %s windows were saved, the rest is in %s",
        path,
        reason,
        len(found.rows),
        aside,
    )
    for side in SIDES:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    path.rename(aside)
    _take_place(new, path)
    return _open_checked(path)


def _open_checked(path: Path) -> sqlite3.Connection:
    database = _connect(path)
    try:
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise BrokenError(verdict)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise sqlite3.OperationalError(
                f"its format {version} is of a newer firmware; ours is {FORMAT}"
            )
        if version < FORMAT:
            database.execute("PRAGMA writable_schema = ON")
            database.execute(_FROM_2)
            database.execute("PRAGMA writable_schema = RESET")
        database.executescript(
            f"BEGIN; {_FROM_1} {TABLES} PRAGMA user_version={FORMAT}; END"
        )
    except sqlite3.Error:
        database.close()
        raise
    return database


def _make(new: Path, day: int, found: Salvaged, *, resets: int) -> None:
    """Make a whole file. Today's privacy costs may be lost, so its budget is spent."""
    for each in (new, *(new.with_name(new.name + side) for side in SIDES)):
        each.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    database = _connect(new)
    try:
        with database:
            database.executescript(f"BEGIN; {TABLES} PRAGMA user_version={FORMAT}; END")
            database.execute("BEGIN")
            found.put(database, day, resets)
            database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _take_place(new: Path, path: Path) -> None:
    handle = os.open(new, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _next_number(path: Path) -> Path:
    for number in range(1, BROKEN_LIMIT + 1):
        aside = path.with_suffix(f".broken-{number}.db")
        if not aside.exists():
            return aside
    raise OSError(f"{BROKEN_LIMIT} broken files lie beside it; move them away")
