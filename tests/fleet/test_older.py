"""A file that an older doorsill kept becomes a store, with every row or not at all."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker import SITE
from messages import ATTRIBUTES, LINE, ZONE

from doorsill.errors import ConfigError
from doorsill.wire.codec import encode
from doorsill.wire.messages import Message, stream_of, topic
from doorsill_fleet.store.windows import Kept, Store

OLDER = """
CREATE TABLE line_windows (
    device TEXT NOT NULL, line INTEGER NOT NULL, start INTEGER NOT NULL,
    epoch INTEGER NOT NULL, total_in INTEGER NOT NULL, total_out INTEGER NOT NULL,
    end INTEGER NOT NULL, count_in INTEGER NOT NULL, count_out INTEGER NOT NULL,
    coverage_s INTEGER NOT NULL, quality TEXT NOT NULL, is_historical INTEGER NOT NULL,
    firmware TEXT NOT NULL, model TEXT NOT NULL, policy TEXT NOT NULL,
    PRIMARY KEY (device, line, start, epoch)
) WITHOUT ROWID;
CREATE TABLE zone_windows (
    device TEXT NOT NULL, zone INTEGER NOT NULL, start INTEGER NOT NULL,
    epoch INTEGER NOT NULL, visits INTEGER NOT NULL, dwell_s INTEGER,
    end INTEGER NOT NULL, occupancy_max INTEGER, occupancy_mean_milli INTEGER,
    coverage_s INTEGER NOT NULL, quality TEXT NOT NULL, is_historical INTEGER NOT NULL,
    PRIMARY KEY (device, zone, start, epoch)
) WITHOUT ROWID;
CREATE TABLE attributes (
    device TEXT NOT NULL, line INTEGER NOT NULL, start INTEGER NOT NULL,
    end INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (device, line, start, end)
) WITHOUT ROWID;
CREATE TABLE latest (
    device TEXT NOT NULL, stream TEXT NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (device, stream)
) WITHOUT ROWID;
PRAGMA user_version = 2;
"""


def as_it_was() -> str:
    """``ATTRIBUTES`` with the four age bands of its time."""
    adults = {"age_young_adult": 11, "age_adult": 21, "age_older": 4}
    table: dict[str, Any] = {}
    for name, value in json.loads(encode(ATTRIBUTES)).items():
        table |= adults if name == "age_adult" else {name: value}
    return json.dumps({**table, "schema": 1}, separators=(",", ":"))


def older_file(path: Path, device: str) -> list[tuple[str, bytes]]:
    """The file as it was, with one row in each table; and what was sent for them."""
    line: list[Any] = [
        device, LINE.line, LINE.start, LINE.epoch, LINE.total_in, LINE.total_out,
        LINE.end, LINE.count_in, LINE.count_out, LINE.coverage_s, "dark gap", 0,
        LINE.firmware, LINE.model, LINE.policy,
    ]  # fmt: skip
    zone: list[Any] = [
        device, ZONE.zone, ZONE.start, ZONE.epoch, ZONE.visits, ZONE.dwell_s, ZONE.end,
        ZONE.occupancy_max, ZONE.occupancy_mean_milli, ZONE.coverage_s, "", 1,
    ]  # fmt: skip
    looks = [device, 0, ATTRIBUTES.start, ATTRIBUTES.end, as_it_was()]
    database = sqlite3.connect(path)
    database.executescript(OLDER)
    for table, row in (("line_windows", line), ("zone_windows", zone)):
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
    database.execute("INSERT INTO attributes VALUES (?, ?, ?, ?, ?)", looks)
    database.commit()
    database.close()
    messages: tuple[Message, ...] = (LINE, ZONE, ATTRIBUTES)
    return [(topic(SITE, "cam-01", stream_of(m)), encode(m)) for m in messages]


@pytest.mark.parametrize(
    ("device", "site"),
    [
        pytest.param("cam-01", SITE, id="of one shop"),
        pytest.param(f"{SITE}/cam-01", "", id="of every shop"),
    ],
)
def test_every_row_is_taken_over_and_comes_no_second_time(
    tmp_path: Path, device: str, site: str
) -> None:
    path = tmp_path / "old.db"
    sent = older_file(path, device)
    store = Store(path, site)
    assert store.totals(device, 0) == (LINE.count_in, LINE.count_out)
    assert store.windows(device, 0) == [(LINE.start, 3, 2, "dark gap")]
    assert store.keep(sent) == Kept(repeated=3)
    query = "SELECT age_child, age_adult FROM attributes"
    with contextlib.closing(sqlite3.connect(path)) as database:
        looks = database.execute(query).fetchall()
    assert looks == [(ATTRIBUTES.age_child, ATTRIBUTES.age_adult)]
    fresh = replace(LINE, start=LINE.start + 60)
    assert store.keep([(sent[0][0], encode(fresh))]) == Kept(new=1)
    store.close()


def test_a_file_that_does_not_name_its_shop_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    older_file(path, "cam-01")
    with pytest.raises(ConfigError, match="say --site SITE once"):
        Store(path)
    database = sqlite3.connect(path)
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    names = [name for (name,) in database.execute(query)]
    assert names == ["attributes", "latest", "line_windows", "zone_windows"]
    assert database.execute("SELECT count(*) FROM line_windows").fetchone() == (1,)
    database.close()
