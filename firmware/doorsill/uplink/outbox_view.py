"""The state of the outbox for a technician; read only, while the uplink works."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from doorsill.errors import UplinkError


@dataclass(frozen=True, slots=True)
class Glance:
    """What waits, and what went wrong since this outbox was made."""

    waiting: int  # rows that wait for the broker
    buried: int  # rows refused by the broker or by us; tried again at the next start
    dropped: int  # oldest rows given up because of a bound
    dead_letters: int  # rows refused by the broker for good
    refused: int  # rows stopped by our own guard
    resets: int  # times that a broken file was set aside
    day: int  # last day with a report on attributes, UTC days since 1970
    spent_micro: int  # epsilon spent on that day, in millionths


def glance(path: Path) -> Glance:
    """The state of the outbox at ``path``; UplinkError if it cannot be read."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            waiting, buried = (_rows(database, buried=flag) for flag in (0, 1))
            numbers = database.execute(
                "SELECT dropped, dead_letters, refused, resets, day, spent_micro "
                "FROM counters, ledger"
            ).fetchone()
            return Glance(waiting, buried, *numbers)
        finally:
            database.close()
    except (sqlite3.Error, ValueError) as error:
        raise UplinkError(f"cannot read the outbox {path}: {error}") from None


def _rows(database: sqlite3.Connection, *, buried: int) -> int:
    query = "SELECT count(*) FROM outbox WHERE buried = ?"
    return int(database.execute(query, (buried,)).fetchone()[0])
