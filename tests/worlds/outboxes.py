"""Outboxes in a test's hand: numbered windows in, and which of them are in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from messages import line

from doorsill.uplink.database import open_database
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.rows import Batch, Bounds, Entry
from doorsill.wire.codec import encode

TODAY = 20_833


def entry(number: int) -> Entry:
    payload = encode(line(60 * number))
    return Entry(f"line-0:{number}", "interval", payload)


def batch(*numbers: int) -> Batch:
    return Batch(entries=[entry(number) for number in numbers])


OPENED: list[Outbox] = []  # closed after each test


def open_outbox(folder: Path, **bounds: int) -> Outbox:
    OPENED.append(Outbox(folder / "outbox.db", lambda: TODAY, Bounds(**bounds)))
    return OPENED[-1]


def keep_connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Those that outboxes open from now on, to be asked and limited."""
    opened: list[sqlite3.Connection] = []

    def open_and_keep(path: Path, day: int) -> sqlite3.Connection:
        opened.append(open_database(path, day))
        return opened[-1]

    monkeypatch.setattr("doorsill.uplink.outbox.open_database", open_and_keep)
    return opened


def numbers(outbox: Outbox) -> list[int]:
    wanted = {encode(line(60 * number)): number for number in range(200)}
    return [wanted[row.payload] for row in outbox.due(1000)]
