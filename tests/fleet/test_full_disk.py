"""Whatever `receive` writes to, a full disk is a sentence, and nothing is lost.

A real file system that is full; the messages come again, as from the broker.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from broker import SITE
from messages import CERTIFICATE, LINE, line
from small_disk import fill

from doorsill.errors import UplinkError
from doorsill.wire.codec import encode
from doorsill.wire.messages import topic
from doorsill_fleet.audit.shelf import Shelf
from doorsill_fleet.ingest.quarantine import Quarantine
from doorsill_fleet.store.csv import CsvStore
from doorsill_fleet.store.windows import Store

MANY = 3000  # messages: more than fits beside a full disk
INTERVAL = topic(SITE, "cam-01", "interval")
SENT = [(INTERVAL, encode(line(60 * number))) for number in range(MANY)]
GARBAGE = [("doorsill/x", b"?" * 60, "no message")] * 900


def into_csv(where: Path) -> int:
    store = CsvStore(where / "visitors.csv")
    try:
        store.keep(SENT)
    finally:
        store.close()
    with (where / "visitors.csv").open(newline="") as file:
        return len({each["start"] for each in csv.DictReader(file)})


def into_store(where: Path) -> int:
    store = Store(where / "store.db", SITE, lambda: LINE.end)
    try:
        store.keep(SENT)
        return len(store.windows("cam-01", 0))
    finally:
        store.close()


def into_quarantine(where: Path) -> int:
    aside = Quarantine(where / "aside.jsonl", lambda: "2027-01-01T00:00:00Z")
    aside.put(GARBAGE)
    return len((where / "aside.jsonl").read_text().splitlines())


def test_half_a_line_of_a_power_cut_is_no_line(tmp_path: Path) -> None:
    into_quarantine(tmp_path)
    path = tmp_path / "aside.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    aside = Quarantine(path, lambda: "2027-01-01T00:00:00Z")
    assert aside.lines == len(GARBAGE) - 1
    aside.put(GARBAGE[:1])
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    assert [each["number"] for each in lines] == list(range(1, len(GARBAGE) + 1))


def onto_shelf(where: Path) -> int:
    shelf = Shelf(where / "certificates")
    shelf.keep([(topic(SITE, "cam-01", "certificate"), encode(CERTIFICATE))])
    return len(shelf.of(SITE, "cam-01"))


@pytest.mark.parametrize("room_kib", [0, 16, 64])
@pytest.mark.parametrize(
    ("keep", "count"),
    [
        pytest.param(into_csv, MANY, id="a CSV file"),
        pytest.param(into_store, MANY, id="a store"),
        pytest.param(into_quarantine, len(GARBAGE), id="what is set aside"),
        pytest.param(onto_shelf, 1, id="certificates"),
    ],
)
def test_a_full_disk_is_a_sentence_and_the_same_again_is_whole(
    small_disk: Path, keep: Callable[[Path], int], count: int, room_kib: int
) -> None:
    if count == 1 and room_kib:
        pytest.skip("one certificate fits there")
    filler = fill(small_disk, room_kib * 1024)
    with pytest.raises(UplinkError) as caught:
        keep(small_disk)
    assert "\n" not in str(caught.value)
    filler.unlink()
    assert keep(small_disk) == count


def test_a_store_that_was_full_is_sound(small_disk: Path) -> None:
    filler = fill(small_disk, 64 * 1024)
    with pytest.raises(UplinkError):
        into_store(small_disk)
    filler.unlink()
    into_store(small_disk)
    with closing(sqlite3.connect(small_disk / "store.db")) as found:
        assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
