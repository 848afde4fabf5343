"""A row is a window, once: what comes twice, is killed, cut off or not ours."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from messages import ATTRIBUTES, EVERY, HEALTH, LINE, LIVE, ZONE, line

from doorsill.errors import ConfigError, UplinkError
from doorsill.wire.codec import encode
from doorsill.wire.messages import Message, stream_of, topic
from doorsill_fleet.ingest.quarantine import Quarantine
from doorsill_fleet.store.csv import ATTRIBUTES as ATTRIBUTES_FILE
from doorsill_fleet.store.csv import COLUMNS, REMEMBER_DAYS, WINDOWS, CsvStore
from doorsill_fleet.store.windows import Kept


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CsvStore]:
    found = CsvStore(tmp_path / "visitors.csv", quarantine=quarantine(tmp_path))
    yield found
    found.close()


def quarantine(folder: Path, **changes: Any) -> Quarantine:
    return Quarantine(folder / "aside.jsonl", lambda: "2026-11-28T12:00:00Z", **changes)


def sent(
    message: Message, device: str = "cam-01", site: str = "shop-1"
) -> tuple[str, bytes]:
    return topic(site, device, stream_of(message)), encode(message)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_a_zone_and_attributes_are_rows(store: CsvStore, tmp_path: Path) -> None:
    kept = store.keep([sent(each) for each in (LINE, ZONE, ATTRIBUTES)])
    assert kept == Kept(new=3)
    one, zone = rows(tmp_path / "visitors.csv")
    assert (one["site"], one["device"], one["kind"]) == ("shop-1", "cam-01", "line")
    assert one["start"] == "2027-01-15T08:00:00Z"
    assert one["end"] == "2027-01-15T08:01:00Z"
    assert (one["in"], one["out"], one["visits"]) == ("3", "2", "")
    assert (zone["visits"], zone["dwell_s"], zone["occupancy_mean"]) == (
        "12",
        "320",
        "1.75",
    )
    (looks,) = rows(tmp_path / "visitors.attributes.csv")
    assert (looks["age_child"], looks["people"]) == ("-2", "38")
    assert set(looks) == set(COLUMNS[ATTRIBUTES_FILE]) and "" not in looks.values()
    assert set(one) == set(COLUMNS[WINDOWS])


def test_what_was_not_told_is_empty_and_not_0(store: CsvStore, tmp_path: Path) -> None:
    few = replace(ZONE, dwell_s=None, occupancy_max=None, occupancy_mean_milli=None)
    store.keep([sent(few)])
    (row,) = rows(tmp_path / "visitors.csv")
    assert [row[each] for each in ("dwell_s", "occupancy_max", "occupancy_mean")] == [
        "",
        "",
        "",
    ]


@pytest.mark.parametrize("message", [LINE, ZONE, ATTRIBUTES])
def test_what_comes_twice_is_a_row_once(
    store: CsvStore, tmp_path: Path, message: Message
) -> None:
    assert store.keep([sent(message), sent(message)]) == Kept(new=1, repeated=1)
    late = replace(message, is_historical=True)  # type: ignore[type-var]
    assert store.keep([sent(late)]) == Kept(repeated=1)


def test_two_shops_with_one_name_of_a_camera_are_two(
    store: CsvStore, tmp_path: Path
) -> None:
    kept = store.keep([sent(LINE), sent(LINE, site="shop-2"), sent(LINE, "cam-02")])
    assert kept == Kept(new=3)
    assert {each["site"] for each in rows(tmp_path / "visitors.csv")} == {
        "shop-1",
        "shop-2",
    }


def test_what_is_of_the_moment_is_no_row(store: CsvStore, tmp_path: Path) -> None:
    assert store.keep([sent(LIVE), sent(HEALTH)]) == Kept()
    assert not (tmp_path / "visitors.csv").exists()


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        pytest.param("doorsill/shop-1/cam-01/interval", b"\xff\xd8\xff", id="a JPEG"),
        pytest.param("doorsill/shop-1/cam-01/interval", b"", id="nothing"),
        pytest.param("doorsill/shop-1/cam-01/snapshot", encode(LINE), id="a stream"),
        pytest.param("doorsill/=cmd()/cam-01/interval", encode(LINE), id="a formula"),
        pytest.param("doorsill/shop-1/cam-01/x/interval", encode(LINE), id="a level"),
        pytest.param("frigate/shop-1/cam-01/interval", encode(LINE), id="a topic"),
        pytest.param("doorsill/shop-1/cam-01/live", encode(LINE), id="mixed up"),
        pytest.param(
            "doorsill/shop-1/cam-01/interval", b'{"schema":99}', id="a later schema"
        ),
    ],
)
def test_what_is_no_cameras_is_set_aside_and_the_rest_kept(
    store: CsvStore, tmp_path: Path, name: str, payload: bytes
) -> None:
    assert store.keep([(name, payload), sent(LINE)]) == Kept(new=1, rejected=1)
    (said,) = (tmp_path / "aside.jsonl").read_text().splitlines()
    found = json.loads(said)
    assert (found["number"], found["topic"], found["bytes"]) == (1, name, len(payload))
    assert found["why"] and len(found["sha256"]) == 64
    assert ("text" in found) == (payload[:1] != b"\xff")  # what might be a picture


def test_a_site_is_kept_alone_where_one_is_named(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "one.csv", "shop-1")
    assert store.keep([sent(LINE), sent(LINE, site="shop-2")]) == Kept(1, 0, 1)
    store.close()


def test_the_quarantine_is_bounded_and_goes_on_counting(tmp_path: Path) -> None:
    aside = quarantine(tmp_path, lines_most=3)
    aside.put([("a", b"1", "w"), ("b", b"2", "w")])
    again = quarantine(tmp_path, lines_most=3)
    again.put([("c", b"3", "w"), ("d", b"4", "w")])
    again.put([("e", b"5", "w")])
    lines = (tmp_path / "aside.jsonl").read_text().splitlines()
    assert [json.loads(each)["number"] for each in lines] == [1, 2, 3]


def test_what_a_kill_left_behind_the_noted_length_is_cut_and_comes_again(
    store: CsvStore, tmp_path: Path
) -> None:
    path = tmp_path / "visitors.csv"
    store.keep([sent(line(0))])
    whole = path.read_bytes()
    for torn in (b"shop-1,cam-01,2027", b"x" * 9000):
        path.write_bytes(whole + torn)
        again = CsvStore(path)
        assert path.read_bytes() == whole
        again.close()
    again = CsvStore(path)
    assert again.keep([sent(line(0)), sent(line(60))]) == Kept(new=1, repeated=1)
    assert len(rows(path)) == 2
    again.close()


def test_a_kill_in_the_first_batch_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "visitors.csv"
    CsvStore(path).close()
    path.write_text("site,device,sta")
    again = CsvStore(path)
    assert again.keep([sent(line(0))]) == Kept(new=1)
    assert len(rows(path)) == 1
    assert (tmp_path / "visitors.csv.unfinished").read_text() == "site,device,sta"
    again.close()


REFUSE = """
CREATE TRIGGER full BEFORE INSERT ON seen
BEGIN SELECT RAISE(ABORT, 'it takes nothing'); END
"""


def test_a_transaction_that_fails_leaves_no_row(
    store: CsvStore, tmp_path: Path
) -> None:
    path = tmp_path / "visitors.csv"
    store.keep([sent(line(0))])
    with closing(sqlite3.connect(f"{path}.index", isolation_level=None)) as other:
        other.execute(REFUSE)
        with pytest.raises(UplinkError, match=r"index of .* it takes nothing"):
            store.keep([sent(line(60))])
        other.execute("DROP TRIGGER full")
    path.rename(tmp_path / "aside")
    path.mkdir()  # a folder takes no rows
    with pytest.raises(UplinkError, match="takes no data"):
        store.keep([sent(line(60))])
    path.rmdir()
    (tmp_path / "aside").rename(path)
    assert store.keep([sent(line(60))]) == Kept(new=1)
    assert len(rows(tmp_path / "visitors.csv")) == 2


def test_a_file_that_was_moved_away_begins_again_without_repeats(
    store: CsvStore, tmp_path: Path
) -> None:
    path = tmp_path / "visitors.csv"
    store.keep([sent(line(0))])
    path.rename(tmp_path / "november.csv")
    again = CsvStore(path)
    assert again.keep([sent(line(0)), sent(line(60))]) == Kept(new=1, repeated=1)
    assert len(rows(path)) == 1
    again.close()


@pytest.mark.parametrize("text", ["", "short"], ids=["a stranger's", "cut"])
def test_a_file_that_is_not_as_we_left_it_is_not_touched(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "visitors.csv"
    if text:
        store = CsvStore(path)
        store.keep([sent(LINE)])
        store.close()
    path.write_text(text or "date,visitors\n")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"visitors\.csv .* move it away|move it"):
        CsvStore(path)
    assert path.read_bytes() == before


def test_the_index_forgets_what_cannot_come_again_whatever_a_camera_says_the_time_is(
    tmp_path: Path,
) -> None:
    path, old = tmp_path / "visitors.csv", line(0)  # of 1970: its clock was not set
    for day, kept in (
        (20_000, Kept(new=1)),
        (20_000 + REMEMBER_DAYS, Kept(repeated=1)),
        (20_001 + REMEMBER_DAYS, Kept(new=1)),
    ):
        store = CsvStore(path, today=lambda day=day: day)
        assert store.keep([sent(old)]) == kept
        store.close()


def test_every_kind_of_message_is_known(store: CsvStore) -> None:
    for message in EVERY:
        assert store.keep([sent(message)]).rejected == 0


def test_a_folder_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UplinkError, match=r"cannot open .*visitors\.csv\.index"):
        CsvStore(tmp_path / "nowhere" / "visitors.csv")
