"""The outbox: what the broker has not acknowledged yet, on disk, once.

    vision ─► store(Batch) ─► rows ─► due() ─► publisher ─► remove_delivered() / bury()
              one transaction            oldest first        one transaction

* A batch is one transaction with ``synchronous=FULL``: closed minutes, the tally of the
  open one with all totals, a report *and* what it cost in epsilon are on disk together
  or not at all.
* Bounded by rows and by age: the oldest are dropped first, and the loss is counted.
  Age is counted in seconds that this device ran, so that a clock which jumps a year
  drops nothing.
* What the broker refuses for good is buried: kept, counted, and tried once more at the
  next start. So a wrong access list costs no window, and no endless retries.
* There is no column for looks: values without noise never touch a disk.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path

from doorsill.errors import UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import DAY_S
from doorsill.uplink.database import is_broken, open_database, replace_database
from doorsill.uplink.rows import CERTIFICATES_LIMIT, Batch, Bounds, Counters, Row
from doorsill.wire.messages import CERTIFICATE

log = logging.getLogger(__name__)

_STEP = 1000  # rows whose age is checked at once


@dataclass(slots=True)
class Outbox:
    """Opens or makes the file at ``path``; a broken one is salvaged and set aside.

    Every method raises UplinkError if the disk fails. Then nothing was changed, and the
    call may be tried again.
    """

    path: Path
    today: Callable[[], int]  # the day now, UTC days since 1970
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
        """Delete the rows that the broker has."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM outbox WHERE id = ?", [(each,) for each in ids]
            )

    def bury(self, ids: Sequence[int], *, by_us: bool = False) -> None:
        """Keep and count rows refused for good; they are not sent before a new start.

        ``by_us`` says that our own guard refused them, and not the broker.
        """
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
        """Let buried rows be sent once more; returns how many they are."""
        with self._transaction() as database:
            return database.execute(
                "UPDATE outbox SET buried = 0 WHERE buried = 1"
            ).rowcount

    def hold(self, certificates: Iterable[bytes]) -> None:
        """Keep messages with certificates, each once, until ``release_certificate``."""
        with self._transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO certificates (sha256, payload) VALUES (?, ?)",
                [(sha256(each).hexdigest(), each) for each in certificates],
            )
            database.execute(
                "DELETE FROM certificates WHERE id <= "
                "(SELECT ifnull(max(id), 0) FROM certificates) - ?",
                (CERTIFICATES_LIMIT,),
            )

    def release_certificate(self) -> bool:
        """Let the oldest certificate that is held wait for the broker; False if none.

        Its hash is remembered, so that it is not held again.
        """
        with self._transaction() as database:
            found = database.execute(
                "SELECT id, sha256, payload FROM certificates "
                "WHERE payload IS NOT NULL ORDER BY id LIMIT 1"
            ).fetchone()
            if found is None:
                return False
            database.execute(
                "INSERT INTO outbox (event, stream, payload, lived_s) "
                "SELECT ?, ?, ?, lived_s FROM counters WHERE true "
                "ON CONFLICT (event) DO NOTHING",
                (f"{CERTIFICATE}/{found[1]}", CERTIFICATE, found[2]),
            )
            database.execute(
                "UPDATE certificates SET payload = NULL WHERE id = ?", (found[0],)
            )
            return True

    def newest(self) -> int:
        """The id of the last row; 0 if there is none."""
        with self._reading() as database:
            row = database.execute("SELECT ifnull(max(id), 0) FROM outbox").fetchone()
            return int(row[0])

    def tally(self) -> str | None:
        """The tally as it was last stored; None in a new file."""
        with self._reading() as database:
            row = database.execute("SELECT text FROM tally").fetchone()
            return None if row is None else str(row[0])

    def ledger(self) -> Ledger:
        """What is spent of the day's epsilon; a young file may spend nothing."""
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
        """Note that this device ran ``seconds`` more; drop rows that are too old."""
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
        """Make a new file with all that can be read of the broken one.

        If it cannot be made, the broken file stays. The cost of today's reports may be
        lost, so today's budget counts as spent.
        """
        self.close()
        try:
            self._database = replace_database(self.path, self.today(), reason)
        except (OSError, sqlite3.Error) as error:
            raise UplinkError(f"cannot replace {self.path}: {error}") from None
        return self._database

    def _enforce(self, database: sqlite3.Connection) -> None:
        """Drop the oldest rows over a bound, and count them in the same transaction."""
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
    """An upper bound on the rows, in two look-ups; a count would read all of them."""
    query = "SELECT ifnull(max(id) - min(id) + 1, 0) FROM outbox"
    return int(database.execute(query).fetchone()[0])
