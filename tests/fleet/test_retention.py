"""What is too old goes by itself; a clock that is wrong takes nothing with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import SITE, Site
from limits import wait_until
from messages import line
from sqlalchemy import select
from workers import arguments, receiving, stopped

from doorsill.wire.codec import encode
from doorsill.wire.messages import stream_of, topic
from doorsill_fleet.cli.main import run
from doorsill_fleet.store.engine import reading
from doorsill_fleet.store.retention import AGAIN_S, Retention
from doorsill_fleet.store.schema import Deletion, LineWindow
from doorsill_fleet.store.windows import Store

DAY_S = 86_400
FIRST = 1_780_272_000  # 2026-06-01, midnight UTC
DAYS = 10  # a window at noon of each
NOW = FIRST + DAYS * DAY_S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.db", now=lambda: NOW)
    put(made, range(DAYS))
    yield made
    made.close()


def put(store: Store, days: range) -> None:
    windows = [
        line(FIRST + DAY_S * n + DAY_S // 2, total_in=n + 1, total_out=0) for n in days
    ]
    store.keep([(topic(SITE, "cam-01", stream_of(w)), encode(w)) for w in windows])


def days_kept(store: Store) -> list[int]:
    with reading(store.engine) as connection:
        starts = connection.execute(select(LineWindow.start)).scalars()
        return sorted((each - FIRST) // DAY_S for each in starts)


def records(store: Store) -> list[tuple[int, int]]:
    with reading(store.engine) as connection:
        found = connection.execute(select(Deletion.deleted, Deletion.rows))
        return [(each.deleted, each.rows) for each in found]


def test_what_is_too_old_goes_with_a_record_and_once_a_day(store: Store) -> None:
    retention = Retention(store.engine, 4)
    found = retention.forget(NOW)
    assert [each.said("deleted") for each in found] == [
        "deleted 6 rows of line_windows, "
        "from 2026-06-01 12:00 UTC to 2026-06-06 12:00 UTC"
    ]
    assert days_kept(store) == [6, 7, 8, 9] and records(store) == [(NOW, 6)]
    put(store, range(1, 2))  # a camera sends one again
    assert retention.forget(NOW + DAY_S - 1) == []
    assert [each.rows for each in retention.forget(NOW + DAY_S)] == [1]
    assert days_kept(store) == [6, 7, 8, 9]  # the newest says what day it is


@pytest.mark.parametrize("ahead_days", [30, 400, 20_000])
def test_a_clock_that_is_ahead_takes_nothing_that_is_young(
    store: Store, ahead_days: int
) -> None:
    assert Retention(store.engine, DAYS + 1).forget(NOW + ahead_days * DAY_S) == []
    assert len(days_kept(store)) == DAYS


def test_a_clock_that_is_behind_takes_nothing_and_one_put_right_goes_on(
    store: Store,
) -> None:
    retention = Retention(store.engine, 4)
    assert retention.forget(NOW - 400 * DAY_S) == []
    assert len(retention.forget(NOW)) == 1
    ahead = Retention(store.engine, 4)
    ahead.forget(NOW + 400 * DAY_S)
    put(store, range(1))
    assert [each.rows for each in ahead.forget(NOW)] == [1]


def test_a_store_that_is_empty_or_silent_keeps_what_it_has(
    store: Store, tmp_path: Path
) -> None:
    empty = Store(tmp_path / "empty.db", now=lambda: NOW)
    assert Retention(empty.engine, 1).forget(NOW) == []
    empty.close()
    assert Retention(store.engine, 2).forget(NOW + 900 * DAY_S)[0].rows == 8
    assert days_kept(store) == [8, 9]


def test_a_disk_that_failed_is_tried_again_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = Retention(store.engine, 4)
    with monkeypatch.context() as broken:
        broken.setattr("doorsill_fleet.store.retention.delete_part", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retention.forget(NOW)
    assert retention.forget(NOW + AGAIN_S - 1) == []
    assert len(retention.forget(NOW + AGAIN_S)) == 1


def test_receive_deletes_with_keep_days(
    store: Store, own_site: Site, tmp_path: Path
) -> None:
    words = arguments(own_site, "--store", str(store.where), "--keep-days", "4")
    with receiving(words, tmp_path) as child:
        wait_until(lambda: days_kept(store) == [6, 7, 8, 9])
        stopped(child, signal.SIGTERM)
    (log,) = tmp_path.glob("receive-*.log")
    assert "deleted 6 rows of line_windows" in log.read_text()


def test_nothing_is_cut_from_a_csv_file(
    own_site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(own_site, "--csv", str(tmp_path / "a.csv"), "--keep-days", "4")
    assert run([*words, "--seconds", "2"]) == 2
    assert "--keep-days is for a --store" in capsys.readouterr().err
