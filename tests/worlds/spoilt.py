"""The file of an outbox with 2,000 windows, and what spoils it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from messages import line

from doorsill.uplink.outbox import Outbox
from doorsill.uplink.rows import Entry
from doorsill.wire.codec import encode

TODAY = 20_833
PAGE = 4096
WINDOWS = 2000


def entry(number: int) -> Entry:
    payload = encode(line(60 * number, count_in=number % 600))
    return Entry(f"line-0:7:{60 * number}", "interval", payload)


def opened(folder: Path) -> Outbox:
    return Outbox(folder / "outbox.db", lambda: TODAY)


def kept(outbox: Outbox) -> list[int]:
    wanted = {entry(n).payload: n for n in range(WINDOWS + 50)}
    return [wanted[row.payload] for row in outbox.due(10_000)]


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def settle(path: Path) -> None:
    """Move the log into the file; who has it open reads it from there again."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        (version,) = other.execute("PRAGMA user_version").fetchone()
        other.execute(f"PRAGMA user_version = {version}")  # a change, so caches are old
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy


def one_page(path: Path) -> None:
    overwrite(path, 20 * PAGE, b"\xff" * PAGE)
