"""Where the windows of a shop's devices end up: SQLite, each window once.

A message may come twice (QoS 1, a crash between two steps), so keeping one is
idempotent. The key is (device, place, start, epoch): a device tells each minute once,
and begins a new epoch where its clock was set back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.documents.fields import DEVICE_ID
from doorsill.errors import UntrustedError, UplinkError
from doorsill.wire.codec import decode
from doorsill.wire.messages import Attributes, LineInterval, ZoneInterval
from doorsill_fleet.ingest.quarantine import Quarantine

_TABLES = """
CREATE TABLE IF NOT EXISTS line_windows (
    device TEXT NOT NULL, line INTEGER NOT NULL, start INTEGER NOT NULL,
    epoch INTEGER NOT NULL, total_in INTEGER NOT NULL, total_out INTEGER NOT NULL,
    end INTEGER NOT NULL, count_in INTEGER NOT NULL, count_out INTEGER NOT NULL,
    coverage_s INTEGER NOT NULL, quality TEXT NOT NULL, is_historical INTEGER NOT NULL,
    firmware TEXT NOT NULL, model TEXT NOT NULL, policy TEXT NOT NULL,
    PRIMARY KEY (device, line, start, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS zone_windows (
    device TEXT NOT NULL, zone INTEGER NOT NULL, start INTEGER NOT NULL,
    epoch INTEGER NOT NULL, visits INTEGER NOT NULL, dwell_s INTEGER,
    end INTEGER NOT NULL, occupancy_max INTEGER, occupancy_mean_milli INTEGER,
    coverage_s INTEGER NOT NULL, quality TEXT NOT NULL, is_historical INTEGER NOT NULL,
    PRIMARY KEY (device, zone, start, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attributes (
    device TEXT NOT NULL, line INTEGER NOT NULL, start INTEGER NOT NULL,
    end INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (device, line, start, end)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (
    device TEXT NOT NULL, stream TEXT NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (device, stream)
) WITHOUT ROWID;
"""

_FORMAT = 2
_OLDER = """
ALTER TABLE zone_windows RENAME TO zone_windows_1;
ALTER TABLE line_windows RENAME TO line_windows_1;
"""
_MOVE = """
INSERT OR IGNORE INTO line_windows SELECT * FROM line_windows_1;
INSERT OR IGNORE INTO zone_windows SELECT * FROM zone_windows_1;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of some messages."""

    new: int = 0
    repeated: int = 0
    rejected: int = 0  # of another schema, or not of this shop


@dataclass(slots=True)
class Store:
    """One file; used by one thread.

    Without a ``site`` it keeps those of every shop, and a device is <site>/<device>.
    """

    path: Path
    site: str = ""
    quarantine: Quarantine | None = None
    _database: sqlite3.Connection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._database = sqlite3.connect(self.path, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            _make_tables(self._database)
        except sqlite3.Error as error:
            if hasattr(self, "_database"):
                self._database.close()
            raise UplinkError(f"cannot open the store {self.path}: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> Kept:
        """Keep (topic, payload) pairs, all or none; UplinkError if the disk fails."""
        new = repeated = 0
        strangers: list[tuple[str, bytes, str]] = []
        try:
            with self._database as database:
                for topic, payload in messages:
                    try:
                        fresh = self._keep(database, topic, payload)
                    except UntrustedError as error:
                        strangers.append((topic, payload, str(error)))
                        continue
                    new, repeated = new + fresh, repeated + (not fresh)
                if self.quarantine is not None:
                    self.quarantine.put(strangers)
        except sqlite3.Error as error:
            raise UplinkError(f"the store {self.path} takes no data: {error}") from None
        return Kept(new, repeated, len(strangers))

    def totals(self, device: str, line: int) -> tuple[int, int]:
        """In and out over all windows of one line."""
        row = self._database.execute(
            "SELECT ifnull(sum(count_in), 0), ifnull(sum(count_out), 0) "
            "FROM line_windows WHERE device = ? AND line = ?",
            (device, line),
        ).fetchone()
        return int(row[0]), int(row[1])

    def covered(self, device: str, line: int) -> int:
        """Seconds in which the camera observed one line, over all its windows."""
        row = self._database.execute(
            "SELECT ifnull(sum(coverage_s), 0) FROM line_windows "
            "WHERE device = ? AND line = ?",
            (device, line),
        ).fetchone()
        return int(row[0])

    def windows(self, device: str, line: int) -> list[tuple[int, int, int, str]]:
        """(start, in, out, quality) of one line, by start."""
        return list(
            self._database.execute(
                "SELECT start, count_in, count_out, quality FROM line_windows "
                "WHERE device = ? AND line = ? ORDER BY start",
                (device, line),
            )
        )

    def latest(self, device: str, stream: str) -> bytes | None:
        """The last live, health or state message of a device."""
        row = self._database.execute(
            "SELECT payload FROM latest WHERE device = ? AND stream = ?",
            (device, stream),
        ).fetchone()
        return None if row is None else str(row[0]).encode()

    def _keep(self, database: sqlite3.Connection, topic: str, payload: bytes) -> bool:
        device, stream = self._address(topic)
        message = decode(stream, payload)
        if isinstance(message, LineInterval):
            return _insert(database, "line_windows", _line(device, message))
        if isinstance(message, ZoneInterval):
            return _insert(database, "zone_windows", _zone(device, message))
        if isinstance(message, Attributes):
            key = (device, message.line, message.start, message.end)
            return _insert(database, "attributes", (*key, payload.decode()))
        database.execute(
            "INSERT OR REPLACE INTO latest VALUES (?, ?, ?)",
            (device, stream, payload.decode()),
        )
        return True

    def _address(self, topic: str) -> tuple[str, str]:
        site, device, stream = levels_of(topic, self.site)
        return device if self.site else f"{site}/{device}", stream


def levels_of(topic: str, site: str = "") -> tuple[str, str, str]:
    """Site, device and stream of a camera's topic (of ``site``); or UntrustedError."""
    levels = topic.split("/")
    known = len(levels) == 4 and levels[0] == "doorsill" and site in ("", levels[1])
    if not known or not all(DEVICE_ID.fullmatch(each) for each in levels[1:3]):
        of = f" of site {site}" if site else ""
        raise UntrustedError(f"{topic[:80]} is not the topic of a camera{of}")
    return levels[1], levels[2], levels[3]


def _make_tables(database: sqlite3.Connection) -> None:
    """Make today's tables; rows of an older file are moved and its tables kept."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    query = "SELECT count(*) FROM sqlite_schema WHERE name = 'zone_windows'"
    older = version < _FORMAT and database.execute(query).fetchone() != (0,)
    before, after = (_OLDER, _MOVE) if older else ("", "")
    database.executescript(
        f"BEGIN; {before} {_TABLES} {after} PRAGMA user_version = {_FORMAT}; END"
    )


def _insert(database: sqlite3.Connection, table: str, values: Sequence[object]) -> bool:
    marks = ", ".join("?" * len(values))
    query = f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    return database.execute(query, values).rowcount == 1


def _line(device: str, message: LineInterval) -> tuple[object, ...]:
    return (
        device,
        message.line,
        message.start,
        message.epoch,
        message.total_in,
        message.total_out,
        message.end,
        message.count_in,
        message.count_out,
        message.coverage_s,
        " ".join(message.quality),
        message.is_historical,
        message.firmware,
        message.model,
        message.policy,
    )


def _zone(device: str, message: ZoneInterval) -> tuple[object, ...]:
    return (
        device,
        message.zone,
        message.start,
        message.epoch,
        message.visits,
        message.dwell_s,
        message.end,
        message.occupancy_max,
        message.occupancy_mean_milli,
        message.coverage_s,
        " ".join(message.quality),
        message.is_historical,
    )
