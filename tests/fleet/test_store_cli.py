"""``doorsill-fleet export`` and ``delete`` as a person types them."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from broker import SITE
from messages import ATTRIBUTES, LINE, LIVE, ZONE, line
from pyarrow import parquet
from sqlalchemy import select

from doorsill.wire.codec import encode
from doorsill.wire.messages import Message, stream_of, topic
from doorsill_fleet.cli.main import run
from doorsill_fleet.store.engine import reading
from doorsill_fleet.store.queries import Gap, Part, gaps, seen
from doorsill_fleet.store.schema import Deletion
from doorsill_fleet.store.windows import Store

DAY_S = 86_400
FIRST = 1_780_272_000  # 2026-06-01, midnight UTC
NOW = FIRST + 10 * DAY_S
MINUTES = 3 * 24 * 60  # of three days


def put(store: Store, *found: Message, device: str = "cam-01") -> None:
    store.keep([(topic(SITE, device, stream_of(m)), encode(m)) for m in found])


def day_of_lines(count: int = MINUTES, step: int = 1) -> list[Message]:
    """One person in each minute; totals as a device adds them up."""
    return [
        line(FIRST + 60 * n, count_in=1, count_out=0, total_in=n + 1, total_out=0)
        for n in range(0, count, step)
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that holds three days; each test has a copy."""
    folder = tmp_path_factory.mktemp("filled")
    store = Store(folder / "store.db", now=lambda: NOW)
    put(store, *day_of_lines())
    put(store, replace(ZONE, start=FIRST, end=FIRST + 60), device="cam-02")
    put(store, replace(ATTRIBUTES, start=FIRST, end=FIRST + 3600))
    store.close()
    return folder


@pytest.fixture
def store(tmp_path: Path, filled: Path) -> Iterator[Store]:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    store = Store(tmp_path / "store.db", now=lambda: NOW)
    yield store
    store.close()


def exported(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [dict(row) for row in csv.DictReader(file)]
    if path.suffix == ".json":
        return list(json.loads(path.read_text()))
    return list(parquet.read_table(path).to_pylist())


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
@pytest.mark.parametrize(
    ("by", "rows"), [("minutes", MINUTES), ("hours", 72), ("days", 3)]
)
def test_everybody_is_in_the_file(
    store: Store, tmp_path: Path, suffix: str, by: str, rows: int
) -> None:
    path = tmp_path / f"out{suffix}"
    assert run(["export", "--store", str(store.where), str(path), "--by", by]) == 0
    found = exported(path)
    lines = [row for row in found if row["kind"] == "line"]
    assert len(lines) == rows and len(found) == rows + 1
    assert sum(int(str(row["in"])) for row in lines) == MINUTES
    assert str(lines[0]["start"]).replace(" ", "T") == "2026-06-01T00:00:00+00:00"


def test_without_pyarrow_parquet_is_a_sentence_and_no_file(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "out.parquet"
    assert run(["export", "--store", str(store.where), str(path)]) == 2
    assert "pip install 'doorsill-fleet[parquet]'" in capsys.readouterr().err
    assert list(tmp_path.glob("*out*")) == []


def test_a_part_of_the_time_by_the_shops_clock(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    words = ["export", "--store", str(store.where), str(path), "--by", "days"]
    words += ["--timezone", "Europe/Lisbon", "--site", SITE, "--device", "cam-01"]
    assert run([*words, "--since", "2026-06-02", "--until", "2026-06-03"]) == 0
    (row,) = exported(path)
    assert row["start"] == "2026-06-02T00:00:00+01:00"
    assert (row["in"], row["windows"], row["coverage_s"]) == ("1440", "1440", "86400")
    assert run(words) == 2  # the file is there


def test_looks_are_exported_as_they_were_sent(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    assert run(["export", "--store", str(store.where), str(path), "--looks"]) == 0
    (row,) = exported(path)
    assert row["people"] == ATTRIBUTES.people and row["k"] == 10
    assert row["age_child"] == ATTRIBUTES.age_child


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["a.xlsx"], "must end in one of .csv, .json", id="a format"),
        pytest.param(["no/a.csv"], "there is no folder no", id="a folder"),
        pytest.param(["a.csv", "--timezone", "Mars/1"], "Europe/Lisbon", id="a zone"),
        pytest.param(["a.csv", "--since", "June"], "--since 'June'", id="a day"),
        pytest.param(
            ["a.csv", "--since", "2026-06-02", "--until", "2026-06-02"],
            "is not before",
            id="no time",
        ),
        pytest.param(["a.csv", "--by", "week"], "week", id="a period"),
    ],
)
def test_wrong_input_is_named(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["export", "--store", str(store.where), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_store_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.db"
    assert run(["export", "--store", str(path), str(tmp_path / "a.csv")]) == 2
    assert "is not there" in capsys.readouterr().err and not path.exists()


def test_deletion_says_first_and_notes_afterwards(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["delete", "--store", str(store.where), "--before", "2026-06-02"]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "would delete 1440 rows of line_windows, from 2026-06-01 00:00 UTC" in said
    assert "--yes does it" in said and store.totals(f"{SITE}/cam-01", 0)[0] == MINUTES
    assert run([*words, "--yes"]) == 0
    assert "deleted 1440 rows of line_windows" in capsys.readouterr().out
    assert store.totals(f"{SITE}/cam-01", 0)[0] == MINUTES - 1440
    with reading(store.engine) as connection:
        found = connection.execute(select(Deletion.name, Deletion.rows)).all()
    assert [tuple(each) for each in found] == [
        ("line_windows", 1440),
        ("zone_windows", 1),
        ("attributes", 1),
    ]
    assert run([*words, "--yes"]) == 0
    assert "nothing is older than 2026-06-02" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "-3d", "d"])
def test_a_day_that_is_none_is_named(
    store: Store, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    words = ["delete", "--store", str(store.where), f"--before={text}", "--yes"]
    assert run(words) == 2
    assert "such as 2025-01-01, or 400d" in capsys.readouterr().err


def test_days_ago_are_counted_from_now(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    days = int(time.time() - FIRST) // DAY_S
    words = ["delete", "--store", str(store.where), "--before", f"{days + 2}d"]
    assert run(words) == 0
    assert "nothing is older" in capsys.readouterr().out


def test_a_window_that_is_missing_is_known_with_its_people(tmp_path: Path) -> None:
    store = Store(tmp_path / "gaps.db", now=lambda: NOW)
    minutes = day_of_lines(100)
    put(store, *minutes[:40], *minutes[43:60])
    store.keep([(topic(SITE, "cam-01", "live"), encode(replace(LIVE, time=NOW - 90)))])
    gap = Gap(SITE, "cam-01", 0, FIRST + 40 * 60, FIRST + 43 * 60, 3, 0)
    assert gaps(store.engine, Part()) == [gap]
    found = seen(store.engine)[SITE, "cam-01"]
    assert (found.missing, found.clock_off_s, found.state) == (3, -90, "")
    put(store, *minutes)  # they come late
    assert gaps(store.engine, Part()) == []
    store.close()


def test_a_new_epoch_and_a_closed_shop_are_no_gaps(tmp_path: Path) -> None:
    store = Store(tmp_path / "gaps.db", now=lambda: NOW)
    put(store, *day_of_lines(10))
    night = line(FIRST + 9000, count_in=1, count_out=0, total_in=11, total_out=0)
    again = line(
        FIRST + 9060, count_in=1, count_out=0, total_in=1, total_out=0, epoch=3
    )
    put(store, night, again)
    assert gaps(store.engine, Part()) == []
    assert LINE.epoch != again.epoch
    store.close()
