"""Rows for a spreadsheet: each window once, also after repeats and crashes.

    messages ─► rows that are new ─► FILE, fsync ─► FILE.index, commit ─► acknowledged

The index (SQLite) knows which windows are in the file and how long the file is. What
stands behind that length was written and never noted: it is cut off at the next start,
for it was never acknowledged and comes again. So a kill at any moment costs nothing and
doubles nothing.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.privacy.floors import DAY_S
from doorsill.wire import four_bands
from doorsill.wire.messages import Attributes, LineInterval, ZoneInterval
from doorsill_fleet.ingest.quarantine import Quarantine
from doorsill_fleet.store.rows import levels_of
from doorsill_fleet.store.windows import Kept

log = logging.getLogger(__name__)

REMEMBER_DAYS = 200  # a device keeps 100 days, so an older window cannot come again
_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
    site TEXT NOT NULL, device TEXT NOT NULL, kind TEXT NOT NULL,
    place INTEGER NOT NULL, start INTEGER NOT NULL, epoch INTEGER NOT NULL,
    day INTEGER NOT NULL, -- on which it came, days since 1970 by our own clock
    PRIMARY KEY (site, device, kind, place, start, epoch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
"""
_NOTE = "INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_LENGTH = "INSERT OR REPLACE INTO files VALUES (?, ?)"
WINDOWS, ATTRIBUTES = "windows", "attributes"
_COMMON = ("site", "device", "start", "end")
_RELEASE = ("firmware", "model", "policy")
COLUMNS: dict[str, tuple[str, ...]] = {
    WINDOWS: (
        *_COMMON, "kind", "place", "in", "out", "total_in", "total_out", "epoch",
        "visits", "dwell_s", "occupancy_max", "occupancy_mean", "coverage_s",
        "quality", "is_historical", *_RELEASE,
    ),
    ATTRIBUTES: (
        *_COMMON, "place", "people", "age_child", "age_adult", "age_unknown",
        "expression_feminine", "expression_masculine", "expression_unknown", "k",
        "epsilon", "is_historical", *_RELEASE,
    ),
}  # fmt: skip


@dataclass(slots=True)
class _Batch:
    rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {WINDOWS: [], ATTRIBUTES: []}
    )
    strangers: list[tuple[str, bytes, str]] = field(default_factory=list)
    repeated: int = 0


@dataclass(slots=True)
class CsvStore:
    """FILE with the windows and, beside it, FILE.attributes.csv; used by one thread."""

    path: Path
    site: str = ""  # empty: every site
    quarantine: Quarantine | None = None
    today: Callable[[], int] = lambda: int(time.time()) // DAY_S  # days since 1970
    _files: dict[str, Path] = field(init=False)
    _index: sqlite3.Connection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        stem = self.path.with_suffix("")
        other = stem.with_name(f"{stem.name}.attributes.csv")
        self._files = {WINDOWS: self.path, ATTRIBUTES: other}
        name = self.path.with_name(self.path.name + ".index")
        try:
            self._index = sqlite3.connect(name, check_same_thread=False)
        except sqlite3.Error as error:
            raise UplinkError(f"cannot open {name}: {error}") from None
        with contextlib.ExitStack() as opened:
            opened.callback(self._index.close)  # if something below raises
            try:
                self._make_tables()
                for kind in self._files:
                    self._begin(kind)
                self._forget()
            except (sqlite3.Error, OSError) as error:  # as a disk that is full
                raise UplinkError(f"cannot open {name}: {error}") from None
            opened.pop_all()

    def _make_tables(self) -> None:
        self._index.execute("PRAGMA journal_mode = WAL")
        self._index.execute("PRAGMA synchronous = FULL")
        self._index.executescript(_TABLES)

    def close(self) -> None:
        """Close the index; every row is on disk."""
        self._index.close()

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> Kept:
        """Keep (topic, payload) pairs, all or none; UplinkError if the disk fails."""
        batch = _Batch()
        try:
            with self._index as index:
                index.execute("BEGIN IMMEDIATE")
                for topic, payload in messages:
                    self._sort(batch, topic, payload)
                for kind, rows in batch.rows.items():
                    self._append(kind, rows)
                if self.quarantine is not None:
                    self.quarantine.put(batch.strangers)
        except sqlite3.Error as error:
            raise UplinkError(f"the index of {self.path}: {error}") from None
        new = sum(len(rows) for rows in batch.rows.values())
        return Kept(new, batch.repeated, len(batch.strangers))

    def _sort(self, batch: _Batch, topic: str, payload: bytes) -> None:
        try:
            found = row_of(topic, payload, self.site)
        except UntrustedError as error:
            batch.strangers.append((topic, payload, str(error)))
            return
        if found is None:  # live, health or state, which are only of the moment
            return
        kind, key, row = found
        if self._index.execute(_NOTE, (*key, self.today())).rowcount:
            batch.rows[kind].append(row)
        else:
            batch.repeated += 1

    def _append(self, kind: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write after the noted length of the file, and note the new length."""
        if not rows:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS[kind], restval="", lineterminator="\n")
        at = self._length(kind) or 0
        if at == 0:
            writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
        try:
            handle = os.open(self._files[kind], os.O_RDWR | os.O_CREAT, 0o644)
            with os.fdopen(handle, "r+b") as file:
                file.truncate(at)
                file.seek(at)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            why = f"{self._files[kind]} takes no data: {error.strerror}"
            raise UplinkError(why) from None
        self._index.execute(_LENGTH, (kind, at + len(data)))

    def _begin(self, kind: str) -> None:
        """Compare the file with what the index knows of it."""
        path, noted = self._files[kind], self._length(kind)
        size = path.stat().st_size if path.exists() else 0
        if noted and size >= noted and self._set_aside(kind, noted):
            size = 0
        if noted is None and size:
            raise ConfigError(
                f"{path} is there and not ours (nothing of it is in its index); name "
                "another file, or move it away"
            )
        if noted and size == 0:
            log.info("%s is a new file; what was in the old one is not repeated", path)
        elif noted and size < noted:
            raise ConfigError(
                f"{path} has {size} bytes and had {noted}: somebody changed it; move "
                "it away to begin a new one"
            )
        elif size > (noted or 0):
            self._cut(path, noted or 0, size)
        with self._index as index:
            index.execute(_LENGTH, (kind, noted if size and noted else 0))

    def _set_aside(self, kind: str, noted: int) -> bool:
        """Whether the file had an older doorsill's columns; then it has another name.

        ConfigError if there is one of that name already.
        """
        path = self._files[kind]
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            if next(csv.reader(file), []) == list(COLUMNS[kind]):
                return False
        aside = path.with_name(path.name + ".older")
        if aside.exists():
            raise ConfigError(f"{path} has other columns than ours; move it away")
        log.warning("%s has an older doorsill's columns: it is now %s", path, aside)
        os.truncate(path, noted)
        path.replace(aside)
        return True

    def _cut(self, path: Path, noted: int, size: int) -> None:
        """Cut off what was written and never noted; an unknown file is set aside."""
        log.warning("%s: %s bytes that were never noted come again", path, size - noted)
        if noted:
            os.truncate(path, noted)
        else:
            path.replace(path.with_name(path.name + ".unfinished"))

    def _forget(self) -> None:
        """Drop windows from the index that are too old to come again."""
        with self._index as index:
            last = self.today() - REMEMBER_DAYS
            index.execute("DELETE FROM seen WHERE day < ?", (last,))

    def _length(self, kind: str) -> int | None:
        """The noted length of the file in bytes; None if the file is not known."""
        query = "SELECT bytes FROM files WHERE name = ?"
        row = self._index.execute(query, (kind,)).fetchone()
        return None if row is None else int(row[0])


Found = tuple[str, tuple[object, ...], dict[str, Any]]


def row_of(topic: str, payload: bytes, site: str = "") -> Found | None:
    """Its file, its key and its row; None for what is of the moment alone.

    UntrustedError for what is no message of a camera (of ``site``).
    """
    shop, device, stream = levels_of(topic, site)
    message = four_bands.read(stream, payload)
    if not isinstance(message, LineInterval | ZoneInterval | Attributes):
        return None
    row: dict[str, Any] = {
        name: getattr(message, name, "") for name in ("is_historical", *_RELEASE)
    }
    row |= {"site": shop, "device": device, "is_historical": int(row["is_historical"])}
    row |= {"start": _utc(message.start), "end": _utc(message.end)}
    if isinstance(message, Attributes):
        names = set(COLUMNS[ATTRIBUTES]) - set(row) - {"place", "epsilon"}
        row |= {name: getattr(message, name) for name in names}
        row |= {"place": message.line, "epsilon": message.epsilon_micro / 1e6}
        span = message.line, message.start, message.end
        return ATTRIBUTES, (shop, device, "attributes", *span), row
    place = message.line if isinstance(message, LineInterval) else message.zone
    row |= {"kind": message.kind, "place": place, "epoch": message.epoch}
    row |= {"coverage_s": message.coverage_s, "quality": " ".join(message.quality)}
    row |= _counts(message)
    key = (shop, device, message.kind, place, message.start, message.epoch)
    return WINDOWS, key, row


def _counts(message: LineInterval | ZoneInterval) -> dict[str, Any]:
    if isinstance(message, LineInterval):
        return {
            "in": message.count_in,
            "out": message.count_out,
            "total_in": message.total_in,
            "total_out": message.total_out,
        }
    mean = message.occupancy_mean_milli
    return {
        "visits": message.visits,
        "dwell_s": _shown(message.dwell_s),
        "occupancy_max": _shown(message.occupancy_max),
        "occupancy_mean": "" if mean is None else mean / 1000,
    }


def _shown(value: int | None) -> object:
    """Empty for a value that is not reported below k visits, which is not 0."""
    return "" if value is None else value


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
