"""Delete what is older than somebody wants to keep, and keep a record of that.

Rows and record are one transaction. What a device sends again afterwards is stored
again, for its key is gone, and the next deletion takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select

from doorsill_fleet.store.engine import reading, writing
from doorsill_fleet.store.queries import Part
from doorsill_fleet.store.schema import AttributeSpan, Deletion, LineWindow, ZoneWindow

TABLES: tuple[Any, ...] = (LineWindow, ZoneWindow, AttributeSpan)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted from one table, or would be."""

    name: str  # of the table
    rows: int
    oldest: int  # UTC s, start of the first and of the last row
    newest: int

    def said(self, verb: str) -> str:
        """A sentence: how much of what, from when to when."""
        span = f"from {utc(self.oldest)} to {utc(self.newest)}"
        return f"{verb} {self.rows} rows of {self.name}, {span}"


def utc(seconds: int) -> str:
    """UTC s as a person reads it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def would_delete(engine: Engine, part: Part) -> list[Deleted]:
    """What ``delete_part`` would delete; tables without such rows are left out."""
    with reading(engine) as connection:
        return _found(connection, part)


def delete_part(engine: Engine, part: Part, now: int) -> list[Deleted]:
    """Delete all windows and spans of ``part``, and note it; UplinkError, and none."""
    with writing(engine) as connection:
        found = _found(connection, part)
        for each in TABLES:
            connection.execute(delete(each).where(*part.conditions(each)))
        for gone in found:
            connection.execute(
                Deletion.__table__.insert(),  # type: ignore[attr-defined]
                {
                    "deleted": now,
                    "name": gone.name,
                    "site": part.site,
                    "device": part.device,
                    "before": part.until,
                    "rows": gone.rows,
                    "oldest": gone.oldest,
                    "newest": gone.newest,
                },
            )
    return found


def _found(connection: Connection, part: Part) -> list[Deleted]:
    found = []
    for table in TABLES:
        query = select(func.count(), func.min(table.start), func.max(table.start))
        rows, oldest, newest = connection.execute(
            query.where(*part.conditions(table))
        ).one()
        if rows:
            found.append(Deleted(table.__tablename__, rows, oldest, newest))
    return found
