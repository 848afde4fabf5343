"""What is older than somebody wants to keep goes by itself, once a day, with a record.

A clock that is ahead must delete nothing that is young: it is never later than a day
after the newest window that a camera sent. So a store to which nothing comes keeps
what it has.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from doorsill_fleet.store.deletion import Deleted, delete_part
from doorsill_fleet.store.engine import reading
from doorsill_fleet.store.queries import Part
from doorsill_fleet.store.schema import LineWindow

DAY_S = 86_400
AGAIN_S = 600  # after a disk that failed


@dataclass(slots=True)
class Retention:
    """Keeps windows of the last ``days`` days."""

    engine: Engine
    days: int
    _due: int = 0  # UTC s, when it is looked again

    def forget(self, now: int) -> list[Deleted]:
        """Delete what is too old, if a day has gone by; UplinkError, and none."""
        if abs(self._due - now) <= DAY_S and now < self._due:
            return []
        self._due = now + AGAIN_S
        found: list[Deleted] = []
        newest = self._newest()
        if newest is not None:
            until = min(now, newest + DAY_S) - self.days * DAY_S
            found = delete_part(self.engine, Part(until=until), now)
        self._due = now + DAY_S
        return found

    def _newest(self) -> int | None:
        """Start of the newest window of a line, UTC s."""
        with reading(self.engine) as connection:
            return connection.execute(select(func.max(LineWindow.start))).scalar()
