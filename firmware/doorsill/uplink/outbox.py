"""The outbox: what is not yet acknowledged by the broker, on disk, once.

    vision ─► store(Batch) ─► rows ─► due() ─► publisher ─► delivered() / buried()
              one transaction            oldest first        one transaction

* A batch is one transaction with ``synchronous=FULL``: closed minutes, the tally of the
  open one with all totals, a report *and* what it cost in epsilon are on disk together
  or not at all.
* Bounded by rows and by age; the oldest goes first and the loss is itself counted.
  Age is counted in seconds that this device ran, so that a clock which jumps a year
  throws nothing away.
* What the broker refuses for good is buried: kept, counted, tried once more at the next
  start, so a wrong access list costs no window and no endless retry.
* There is no column for looks: what is not noised yet never touches a disk.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from doorsill.errors import UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import DAY_S
from doorsill.uplink.database import is_broken, open_database, replace_database
from doorsill.uplink.rows import Batch, Bounds, Counters, Row

log = logging.getLogger(__name__)

_STEP = 1000  # rows looked at for their age at once


@dataclass(slots=True)
class Outbox:
    """Opens or makes the file at ``path``; one that is broken is saved and set aside.

    Every method raises UplinkError when the disk does not take it; then nothing of it
    happened, and it may be tried again.
    """

    path: Path
    today: Callable[[], int]  # UTC days since 1970, now
    bounds: Bounds = field(default_factory=Bounds)
    _database: sqlite3.Connection | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._open()

    def close(self) -> None:
        """Close the file; everything stored is in it."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> sqlite3.Connection:
        try:
            self._database = open_database(self.path, self.today())
        except (OSError, sqlite3.Error) as error:
            if not isinstance(error, sqlite3.Error) or not is_broken(error):
                why = f"cannot open the outbox {self.path}: {error}"
                raise UplinkError(why) from None
            return self._replace(error)
        return self._database

    def store(self, batch: Batch) -> None:
        """Put ``batch`` on disk, all or nothing."""
        with self._transaction() as database:
            lived = database.execute("SELECT lived_s FROM counters").fetchone()[0]
            database.executemany(
                "INSERT INTO outbox (event, stream, payload, lived_s) "
                "VALUES (?, ?, ?, ?) ON CONFLICT (event) DO NOTHING",
                [
                    (each.event, each.stream, each.payload, lived)
                    for each in batch.entries
                ],
            )
            if batch.tally is not None:
                database.execute(
                    "INSERT OR REPLACE INTO tally VALUES (1, ?)", (batch.tally,)
                )
            if batch.ledger is not None:
                database.execute(
                    "UPDATE ledger SET day = ?, spent_micro = ?",
                    (batch.ledger.day, batch.ledger.spent_micro),
                )
            self._enforce(database)

    def due(self, limit: int, after: int = 0, upto: int = 2**62) -> list[Row]:
        """The ``limit`` oldest rows that wait, ids above ``after`` up to ``upto``."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT id, stream, payload FROM outbox "
                "WHERE buried = 0 AND id > ? AND id <= ? ORDER BY id LIMIT ?",
                (after, upto, limit),
            )
            return [Row(*row) for row in rows]

    def waiting(self, upto: int = 2**62) -> int:
        """How many rows wait for the broker, with ids up to ``upto``."""
        query = "SELECT count(*) FROM outbox WHERE buried = 0 AND id <= ?"
        with self._reading() as database:
            return int(database.execute(query, (upto,)).fetchone()[0])

    def remove_delivered(self, ids: Iterable[int]) -> None:
        """The broker has these: forget them."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM outbox WHERE id = ?", [(each,) for each in ids]
            )

    def bury(self, ids: Sequence[int], *, by_us: bool = False) -> None:
        """Refused for good, by the broker or by our own guard: count, send no more."""
        counter = "refused" if by_us else "dead_letters"
        with self._transaction() as database:
            database.executemany(
                "UPDATE outbox SET buried = 1 WHERE id = ?", [(each,) for each in ids]
            )
            database.execute(
                f"UPDATE counters SET {counter} = {counter} + ?",  # noqa: S608
                (len(ids),),
            )

    def exhume(self) -> int:
        """At start: let what was buried try once more; how many rows that is."""
        with self._transaction() as database:
            return database.execute(
                "UPDATE outbox SET buried = 0 WHERE buried = 1"
            ).rowcount

    def newest(self) -> int:
        """The id of the last row; 0 without any."""
        with self._reading() as database:
            row = database.execute("SELECT ifnull(max(id), 0) FROM outbox").fetchone()
            return int(row[0])

    def tally(self) -> str | None:
        """The tally as it was last stored, or None in a new file."""
        with self._reading() as database:
            row = database.execute("SELECT text FROM tally").fetchone()
            return None if row is None else str(row[0])

    def ledger(self) -> Ledger:
        """What has been spent of the day's epsilon; a young file spends nothing."""
        query = "SELECT day, spent_micro, lived_s < ? FROM ledger, counters"
        with self._reading() as database:
            day, spent_micro, young = database.execute(query, (DAY_S,)).fetchone()
            return Ledger(day, spent_micro, young=bool(young))

    def counters(self) -> Counters:
        """What happened since this outbox was made."""
        names = ", ".join(each.name for each in fields(Counters))
        with self._reading() as database:
            query = f"SELECT {names} FROM counters"  # noqa: S608
            return Counters(*database.execute(query).fetchone())

    def live(self, seconds: int) -> None:
        """This device ran ``seconds`` more; what is too old by that is dropped."""
        with self._transaction() as database:
            database.execute("UPDATE counters SET lived_s = lived_s + ?", (seconds,))
            self._enforce(database)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database, database:
            database.execute("BEGIN IMMEDIATE")
            yield database

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._database or self._open()
        except sqlite3.Error as error:
            if not is_broken(error):
                raise UplinkError(
                    f"the outbox {self.path} takes no data: {error}"
                ) from None
            self._replace(error)
            raise UplinkError(f"the outbox {self.path} was broken: {error}") from None

    def _replace(self, reason: sqlite3.Error) -> sqlite3.Connection:
        """A new file with what can be read; where it cannot be made, nothing is moved.

        What today's reports have cost may be lost, so the day counts as spent.
        """
        self.close()
        try:
            self._database = replace_database(self.path, self.today(), reason)
        except (OSError, sqlite3.Error) as error:
            raise UplinkError(f"cannot replace {self.path}: {error}") from None
        return self._database

    def _enforce(self, database: sqlite3.Connection) -> None:
        """Drop the oldest above the bounds, and count it in the same transaction."""
        dropped = database.execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT ?)"
            " AND lived_s < (SELECT lived_s FROM counters) - ?",
            (_STEP, self.bounds.age_s),
        ).rowcount
        over = _rows_at_most(database) - self.bounds.rows
        if over > 0:
            over = _rows(database) - self.bounds.rows
        if over > 0:
            dropped += database.execute(
                "DELETE FROM outbox WHERE id IN "
                "(SELECT id FROM outbox ORDER BY id LIMIT ?)",
                (over,),
            ).rowcount
        if dropped:
            log.warning("outbox: %s windows dropped, the oldest first", dropped)
            database.execute("UPDATE counters SET dropped = dropped + ?", (dropped,))


def _rows(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM outbox").fetchone()[0])


def _rows_at_most(database: sqlite3.Connection) -> int:
    """A bound that costs two look-ups; a count walks through all of them."""
    query = "SELECT ifnull(max(id) - min(id) + 1, 0) FROM outbox"
    return int(database.execute(query).fetchone()[0])
