"""Where the windows of the cameras end up: each once, also what comes twice.

A message may come twice (QoS 1, a crash between two steps, two workers), so keeping one
is idempotent. A batch is one transaction: the rows, who was heard, and what was set
aside are on the disk when ``keep`` returns, or nothing of it is.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, case, func, or_, select

from doorsill.errors import UntrustedError
from doorsill_fleet.store import migrate
from doorsill_fleet.store.doubt import AHEAD_S
from doorsill_fleet.store.engine import insert, open_engine, reading, url_of, writing
from doorsill_fleet.store.quarantine import Stranger, set_aside
from doorsill_fleet.store.rows import NOBODY, Row, Sender, row_of, sender_of
from doorsill_fleet.store.schema import Base, Latest, LineWindow
from doorsill_fleet.store.schema import Sender as SenderRow

SENDERS_MOST = 10_000  # names that are kept apart; later ones are counted as nobody
_LATEST, _SENDERS = "latest", "senders"


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of some messages."""

    new: int = 0
    repeated: int = 0
    rejected: int = 0  # of another schema, or not of this shop

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            self.new + other.new,
            self.repeated + other.repeated,
            self.rejected + other.rejected,
        )


@dataclass(slots=True)
class _Batch:
    """Messages in the order in which they came, by what becomes of them."""

    rows: dict[tuple[Sender, str], list[Row]] = field(
        default_factory=lambda: defaultdict(list)
    )
    strangers: list[Stranger] = field(default_factory=list)


@dataclass(slots=True)
class _Done:
    """What became of a batch: windows of each sender, and messages of the moment."""

    kept: Counter[Sender] = field(default_factory=Counter)
    repeated: Counter[Sender] = field(default_factory=Counter)
    refused: Counter[Sender] = field(default_factory=Counter)
    moments: int = 0


@dataclass(slots=True)
class Store:
    """One database, by its path or URL; used by one thread.

    Without a ``site`` it keeps those of every shop, and a device is <site>/<device>.
    """

    where: Path | str
    site: str = ""
    now: Callable[[], int] = lambda: int(time.time())  # UTC s
    engine: Engine = field(init=False, repr=False)
    _known: set[Sender] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.engine = open_engine(url_of(str(self.where)))
        try:
            migrate.upgrade(self.engine, self.site)
            query = select(SenderRow.site, SenderRow.device).limit(SENDERS_MOST)
            with reading(self.engine) as connection:
                self._known = {
                    (row.site, row.device) for row in connection.execute(query)
                }
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> Kept:
        """Keep (topic, payload) pairs, all or none; UplinkError if the disk fails."""
        now = self.now()
        batch = self._sort(messages, now)
        with writing(self.engine) as connection:
            done = self._write(connection, batch)
            done.refused.update(each.sender for each in batch.strangers)
            rows = set_aside(batch.strangers, _refused(connection, done.refused), now)
            if rows:
                connection.execute(insert(self.engine, _of("quarantine")), rows)
            senders = {sender for sender, _ in batch.rows} | done.refused.keys()
            self._note(connection, batch, senders, done, now)
        self._known |= senders
        kept = done.kept.total() + done.moments
        return Kept(kept, done.repeated.total(), len(batch.strangers))

    def totals(self, device: str, line: int) -> tuple[int, int]:
        """In and out over all windows of one line."""
        into, out = self._sum(device, line, LineWindow.count_in, LineWindow.count_out)
        return into, out

    def covered(self, device: str, line: int) -> int:
        """Seconds in which the camera observed one line, over all its windows."""
        (seconds,) = self._sum(device, line, LineWindow.coverage_s)
        return seconds

    def windows(self, device: str, line: int) -> list[tuple[int, int, int, str]]:
        """(start, in, out, quality) of one line, by start."""
        query = select(
            LineWindow.start,
            LineWindow.count_in,
            LineWindow.count_out,
            LineWindow.quality,
        ).where(*self._at(device, line))
        with reading(self.engine) as connection:
            found = connection.execute(query.order_by(LineWindow.start))
            return [(start, into, out, words) for start, into, out, words in found]

    def latest(self, device: str, stream: str) -> bytes | None:
        """The last live, health or state message of a device."""
        site, name = self._who(device)
        query = select(Latest.payload).where(
            Latest.site == site, Latest.device == name, Latest.stream == stream
        )
        with reading(self.engine) as connection:
            found = connection.scalar(query)
        return None if found is None else found.encode()

    def _sort(self, messages: Iterable[tuple[str, bytes]], now: int) -> _Batch:
        batch = _Batch()
        for topic, payload in messages:
            try:
                row = row_of(topic, payload, now, self.site)
                sender = self._admit(row.sender)
            except UntrustedError as error:
                sender = self._admit_or_nobody(sender_of(topic, self.site))
                batch.strangers.append(Stranger(sender, topic, payload, str(error)))
                continue
            batch.rows[sender, row.table.name].append(row)
        return batch

    def _admit(self, sender: Sender) -> Sender:
        if sender not in self._known and len(self._known) >= SENDERS_MOST:
            raise UntrustedError(f"there are {SENDERS_MOST} other devices already")
        return sender

    def _admit_or_nobody(self, sender: Sender) -> Sender:
        full = len(self._known) >= SENDERS_MOST and sender not in self._known
        return NOBODY if full else sender

    def _write(self, connection: Connection, batch: _Batch) -> _Done:
        """Write what is ours; what was set aside is not counted yet."""
        written = _Done()
        for (sender, name), rows in batch.rows.items():
            if name == _LATEST:
                self._replace(connection, rows)
                written.moments += len(rows)
                continue
            query = insert(self.engine, rows[0].table).on_conflict_do_nothing()
            done = connection.execute(query, [row.values for row in rows])
            written.kept[sender] += done.rowcount
            written.repeated[sender] += len(rows) - done.rowcount
        return written

    def _replace(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Keep the last of each stream; a worker that is late replaces no newer one.

        A time that is still to come was a clock that is wrong: anything replaces it.
        """
        table = _of(_LATEST)
        query = insert(self.engine, table)
        query = query.on_conflict_do_update(
            index_elements=["site", "device", "stream"],
            set_={
                each: query.excluded[each] for each in ("time", "received", "payload")
            },
            where=or_(
                query.excluded.time >= table.c.time,
                table.c.time > query.excluded.received + AHEAD_S,
            ),
        )
        connection.execute(query, [row.values for row in rows])

    def _note(
        self,
        connection: Connection,
        batch: _Batch,
        senders: Iterable[Sender],
        done: _Done,
        now: int,
    ) -> None:
        """Note who was heard, and what became of it."""
        newest: dict[Sender, int] = defaultdict(int)
        for (sender, _), rows in batch.rows.items():
            ends = [row.end for row in rows if row.values.get("doubt") == ""]
            newest[sender] = max([newest[sender], *ends])
        noted = [
            {
                "site": sender[0],
                "device": sender[1],
                "heard": now,
                "newest": newest[sender],
                "kept": done.kept[sender],
                "repeated": done.repeated[sender],
                "refused": done.refused[sender],
            }
            for sender in sorted(senders)
        ]
        if noted:
            connection.execute(self._noting(), noted)

    def _noting(self) -> Any:
        table = _of(_SENDERS)
        query = insert(self.engine, table)
        given = query.excluded
        later = {
            each: case((given[each] > table.c[each], given[each]), else_=table.c[each])
            for each in ("heard", "newest")
        }
        more = {
            each: table.c[each] + given[each]
            for each in ("kept", "repeated", "refused")
        }
        return query.on_conflict_do_update(
            index_elements=["site", "device"], set_=later | more
        )

    def _sum(self, device: str, line: int, *columns: Any) -> tuple[int, ...]:
        query = select(*(func.coalesce(func.sum(each), 0) for each in columns))
        with reading(self.engine) as connection:
            row = connection.execute(query.where(*self._at(device, line))).one()
        return tuple(int(each) for each in row)

    def _at(self, device: str, line: int) -> tuple[Any, ...]:
        site, name = self._who(device)
        return (
            LineWindow.site == site,
            LineWindow.device == name,
            LineWindow.place == line,
        )

    def _who(self, device: str) -> Sender:
        if self.site:
            return self.site, device
        site, _, name = device.partition("/")
        return site, name


def _of(name: str) -> Table:
    return Base.metadata.tables[name]


def _refused(connection: Connection, senders: Iterable[Sender]) -> dict[Sender, int]:
    """How many messages of ``senders`` were set aside before."""
    found = {}
    for site, device in senders:
        query = select(SenderRow.refused).where(
            SenderRow.site == site, SenderRow.device == device
        )
        found[site, device] = connection.scalar(query) or 0
    return found
