"""What the outbox holds, and the tables it holds it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doorsill.privacy.budget import Ledger

ROWS_LIMIT = 1_200_000  # 90 days of minutes of 8 lines; about 0.5 GB
AGE_LIMIT_S = 100 * 86_400  # of running time of the device
CERTIFICATES_LIMIT = 20_000  # that wait or are remembered; a chain has no more

TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL UNIQUE,
    stream TEXT NOT NULL,
    payload BLOB NOT NULL
        CHECK (length(payload) <= iif(stream = 'certificate', 4096, 1024)),
    lived_s INTEGER NOT NULL,
    buried INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS waiting ON outbox (buried, id);
CREATE TABLE IF NOT EXISTS tally (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    text TEXT NOT NULL CHECK (length(text) <= 65536)
);
CREATE TABLE IF NOT EXISTS ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1), day INTEGER NOT NULL,
    spent_micro INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS counters (
    one INTEGER PRIMARY KEY CHECK (one = 1), lived_s INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0, dead_letters INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0, resets INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS certificates (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    payload BLOB CHECK (length(payload) <= 4096)
);
INSERT OR IGNORE INTO counters (one) VALUES (1);
INSERT OR IGNORE INTO ledger VALUES (1, 0, 0);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to keep; ``event`` names its window or span, and is unique."""

    event: str
    stream: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored in one transaction: rows, their cost, and the tally after them."""

    entries: Sequence[Entry] = ()
    tally: str | None = None  # as ``tally_text`` writes it
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A message that waits for the broker."""

    id: int
    stream: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Counters:
    """What happened since this outbox was made."""

    lived_s: int = 0  # running time of the device
    dropped: int = 0  # oldest rows given up because of a bound
    dead_letters: int = 0  # rows refused by the broker for good
    refused: int = 0  # rows stopped by our own guard
    resets: int = 0  # times that a broken file was set aside


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept; the defaults are the product's."""

    rows: int = ROWS_LIMIT
    age_s: int = AGE_LIMIT_S
