"""Read what can still be read of a broken outbox: row by row, around each bad page.

The write-ahead log is read with the file, because the newest rows are in it. A damaged
first page is replaced by that of a new file: it is the same in every outbox of ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from doorsill.errors import UntrustedError
from doorsill.privacy.budget import CEILING_MICRO
from doorsill.uplink.rows import ROWS_LIMIT, TABLES, Counters
from doorsill.wire.codec import decode

PAGE_BYTES = 4096  # of SQLite, its default
PAGE_ROWS_MOST = 64  # rows tried one by one after a bad page; a page holds fewer
AT_ONCE = 500  # rows read in one query while the pages are good
_COLUMNS = "id, event, stream, payload, lived_s, buried"

Row = tuple[int, str, str, bytes, int, int]


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Good rows in their order, and what else there was."""

    rows: tuple[Row, ...] = ()
    tally: str | None = None
    counters: Counters = field(default_factory=Counters)
    day: int = 0  # of the ledger, UTC days since 1970

    def put(self, database: sqlite3.Connection, day: int, resets: int) -> None:
        """Write it into a new file, whose budget of ``day`` (UTC) counts as spent."""
        database.executemany(
            "INSERT OR IGNORE INTO outbox VALUES (?, ?, ?, ?, 0, ?)",
            [(*row[:4], row[5]) for row in self.rows],
        )
        if self.tally is not None:
            database.execute("INSERT INTO tally VALUES (1, ?)", (self.tally,))
        kept = replace(self.counters, lived_s=0, resets=resets)
        names = [each.name for each in fields(Counters)]
        marks = ", ".join(f"{name} = ?" for name in names)
        database.execute(
            f"UPDATE counters SET {marks}",  # noqa: S608
            [getattr(kept, name) for name in names],
        )
        database.execute(
            "UPDATE ledger SET day = ?, spent_micro = ?",
            (max(day, self.day), CEILING_MICRO),
        )


def salvage(path: Path) -> Salvaged:
    """Everything in the broken file at ``path`` that can be read.

    The file and its log are not changed. Raises OSError if the disk has no room for a
    copy; the call may then be tried again.
    """
    copy, pattern = path.with_suffix(".salvage"), path.with_suffix(".pattern")
    try:
        _copy(path, copy)
        with contextlib.suppress(FileNotFoundError):
            _copy(_log_of(path), _log_of(copy))
        _mend_first_page(copy, pattern)
        with contextlib.suppress(sqlite3.Error):
            return _read(copy)
        return Salvaged()
    finally:
        for each in (copy, pattern):
            for side in ("", "-wal", "-shm", "-journal"):
                each.with_name(each.name + side).unlink(missing_ok=True)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _copy(path: Path, copy: Path) -> None:
    """Copy page by page; a page that the SD card cannot read becomes zeros."""
    with path.open("rb", buffering=0) as source, copy.open("wb") as target:
        size = os.fstat(source.fileno()).st_size
        for offset in range(0, size, PAGE_BYTES):
            try:
                page = os.pread(source.fileno(), PAGE_BYTES, offset)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                page = bytes(min(PAGE_BYTES, size - offset))
            target.write(page)


def _mend_first_page(copy: Path, pattern: Path) -> None:
    if _has_tables(copy):
        return
    with copy.open("r+b") as file:
        first = bytearray(_first_page(pattern))
        pages = max(1, copy.stat().st_size // PAGE_BYTES)
        first[28:32] = pages.to_bytes(4, "big")
        first[32:40] = bytes(8)  # no free pages that we know of
        file.write(first)


def _has_tables(path: Path) -> bool:
    """Whether the file alone, without its log, has the table of the outbox."""
    uri = f"{path.absolute().as_uri()}?immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        query = "SELECT count(*) FROM sqlite_schema WHERE name = 'outbox'"
        return _one(database, query) == (1,)


def _first_page(path: Path) -> bytes:
    """The first page of a new outbox: its tables, and where each begins."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(f"BEGIN; {TABLES} END")
    return path.read_bytes()[:PAGE_BYTES]


def _read(path: Path) -> Salvaged:
    database = sqlite3.connect(path, isolation_level=None)
    with contextlib.closing(database):
        names = ", ".join(each.name for each in fields(Counters))
        numbers = _one(database, f"SELECT {names} FROM counters")  # noqa: S608
        tally = _one(database, "SELECT text FROM tally")
        day = _one(database, "SELECT day FROM ledger")
        return Salvaged(
            tuple(row for row in _rows(database) if _is_good(row)),
            tally[0] if tally and isinstance(tally[0], str) else None,
            Counters(*numbers) if _are_numbers(numbers) else Counters(),
            day[0] if _are_numbers(day) else 0,
        )


def _one(database: sqlite3.Connection, query: str) -> tuple[Any, ...]:
    with contextlib.suppress(sqlite3.Error):
        return database.execute(query).fetchone() or ()
    return ()


def _are_numbers(values: tuple[Any, ...]) -> bool:
    return bool(values) and all(type(each) is int for each in values)


def _rows(database: sqlite3.Connection) -> Iterator[Row]:
    """Rows by the hundred from good pages, one by one around a bad page."""
    last, most, patience = 0, _highest(database), _pages(database)
    while last < most and patience > 0:
        query = f"SELECT {_COLUMNS} FROM outbox WHERE id > ? ORDER BY id"  # noqa: S608
        try:
            found = database.execute(f"{query} LIMIT {AT_ONCE}", (last,)).fetchall()
        except sqlite3.Error:
            for number in range(last + 1, last + 1 + PAGE_ROWS_MOST):
                yield from _row(database, number)
            last, patience = last + PAGE_ROWS_MOST, patience - 1
            continue
        if not found:
            return
        yield from found
        last = found[-1][0]


def _row(database: sqlite3.Connection, number: int) -> list[Row]:
    query = f"SELECT {_COLUMNS} FROM outbox WHERE id = ?"  # noqa: S608
    with contextlib.suppress(sqlite3.Error):
        return database.execute(query, (number,)).fetchall()
    return []


def _pages(database: sqlite3.Connection) -> int:
    """How many pages there are, and so can be bad."""
    found = _one(database, "PRAGMA page_count")
    return int(found[0]) if _are_numbers(found) else 0


def _highest(database: sqlite3.Connection) -> int:
    """The last id, or an upper bound if it cannot be read."""
    for query in (
        "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'",
        "SELECT max(id) FROM outbox",
    ):
        found = _one(database, query)
        if _are_numbers(found):
            return int(found[0])
    return ROWS_LIMIT


def _is_good(row: Row) -> bool:
    """Whether we wrote this row: a damaged page may hold bytes that never were one."""
    number, event, stream, payload, lived, buried = row
    kinds = (int, str, str, bytes, int, int)
    if not all(isinstance(a, b) for a, b in zip(row, kinds, strict=True)):
        return False
    try:
        decode(stream, payload)
    except UntrustedError:
        return False
    return number > 0 and bool(event) and lived >= 0 and buried in (0, 1)
