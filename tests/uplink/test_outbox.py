"""What was stored is there after a crash, once, in order, within its bounds."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from limits import PROGRAM_S
from outboxes import OPENED, TODAY, batch, entry, keep_connections, numbers, open_outbox

from doorsill.errors import UplinkError
from doorsill.privacy.budget import CEILING_MICRO, Ledger, spend
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.rows import Batch, Bounds, Counters, Entry


def test_rows_come_out_in_order_and_survive_a_restart(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(batch(3, 1, 2))
    outbox.store(batch(5))
    outbox.close()
    outbox = open_outbox(tmp_path)
    assert numbers(outbox) == [3, 1, 2, 5]
    first, second = outbox.due(2)
    assert [row.id for row in outbox.due(9, after=second.id)] == [3, 4]
    outbox.remove_delivered([first.id])
    assert numbers(outbox) == [1, 2, 5]
    assert outbox.waiting() == 3


def test_a_window_is_stored_once(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(batch(1, 2))
    outbox.store(batch(1, 2, 3))
    assert numbers(outbox) == [1, 2, 3]


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    too_long = Entry("line-0:9", "interval", b" " * 1025)
    whole = Batch([entry(1), too_long], "a tally", Ledger(5, 100))
    with pytest.raises(UplinkError, match="takes no data"):
        outbox.store(whole)
    assert numbers(outbox) == []
    assert outbox.tally() is None
    assert outbox.ledger() == Ledger(TODAY, CEILING_MICRO, young=True)
    outbox.store(batch(1))
    assert numbers(outbox) == [1]


def test_the_ledger_is_stored_with_the_report(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(Batch(entries=[entry(1)], ledger=Ledger(5, 250_000)))
    outbox.store(batch(2))
    outbox.close()
    assert open_outbox(tmp_path).ledger() == Ledger(5, 250_000, young=True)


def test_a_new_file_spends_nothing_before_the_device_ran_for_a_day(
    tmp_path: Path,
) -> None:
    """With any time on the clock, a lost file is not to give the day's budget back."""
    outbox = open_outbox(tmp_path)
    for day in (TODAY - 1, TODAY, TODAY + 1, TODAY + 400):
        assert spend(outbox.ledger(), day, 1, CEILING_MICRO) is None
    outbox.live(86_399)
    assert spend(outbox.ledger(), TODAY + 1, 1, CEILING_MICRO) is None
    outbox.live(1)
    assert spend(outbox.ledger(), TODAY, 1, CEILING_MICRO) is None
    assert spend(outbox.ledger(), TODAY + 1, 1, CEILING_MICRO) == Ledger(TODAY + 1, 1)


def test_the_tally_is_stored_with_the_rows_and_survives_a_power_cut(
    tmp_path: Path,
) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(Batch([entry(1)], "the first"))
    outbox.store(Batch(tally="the second"))
    outbox.store(batch(2))
    outbox.close()
    outbox = open_outbox(tmp_path)
    assert outbox.tally() == "the second"
    assert numbers(outbox) == [1, 2]


def test_only_what_was_released_is_due(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    assert outbox.newest() == 0
    outbox.store(batch(1, 2))
    newest = outbox.newest()
    outbox.store(batch(3))
    assert len(outbox.due(9, upto=newest)) == outbox.waiting(newest) == 2
    assert len(outbox.due(9)) == outbox.waiting() == 3


def test_a_file_of_before_is_taken_over(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(batch(1))
    outbox.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "outbox.db")) as old:
        old.executescript(
            "CREATE TABLE seen (id INTEGER); CREATE TABLE running (place TEXT);"
            "PRAGMA user_version = 1"
        )
    outbox = open_outbox(tmp_path)
    assert numbers(outbox) == [1]
    with contextlib.closing(sqlite3.connect(tmp_path / "outbox.db")) as new:
        tables = new.execute("SELECT name FROM sqlite_schema").fetchall()
    assert ("outbox",) in tables
    assert not {("seen",), ("running",)} & set(tables)


def test_a_file_that_took_a_kibibyte_takes_a_certificate(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(batch(1))
    outbox.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "outbox.db")) as old:
        old.executescript(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, "
            "'iif(stream = ''certificate'', 4096, 1024)', '1024') "
            "WHERE name = 'outbox'; "
            "PRAGMA writable_schema = RESET; DROP TABLE certificates; "
            "PRAGMA user_version = 2"
        )
    outbox = open_outbox(tmp_path)
    outbox.hold([bytes(4096)])
    assert outbox.release_certificate()
    assert [len(each.payload) for each in outbox.due(9)][-1] == 4096


def test_a_certificate_waits_for_its_moment_and_goes_once(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox.hold([b"one", b"two", b"one"])
    assert outbox.waiting() == 0  # not yet
    assert outbox.release_certificate()
    (row,) = outbox.due(9)
    assert (row.stream, row.payload) == ("certificate", b"one")
    outbox.remove_delivered([row.id])
    outbox.close()
    outbox = open_outbox(tmp_path)
    outbox.hold([b"one", b"two"])  # the vault lays out what it laid out before
    assert outbox.release_certificate() and not outbox.release_certificate()
    assert [each.payload for each in outbox.due(9)] == [b"two"]


def test_the_oldest_goes_first_when_full_and_the_loss_is_counted(
    tmp_path: Path,
) -> None:
    outbox = open_outbox(tmp_path, rows=5)
    for number in range(8):
        outbox.store(batch(number))
    assert numbers(outbox) == [3, 4, 5, 6, 7]
    assert outbox.counters().dropped == 3


def test_age_is_time_lived_so_a_clock_that_jumps_drops_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, age_s=3600)
    outbox.store(batch(1))
    outbox.live(3000)
    outbox.store(batch(2))
    outbox.live(601)
    assert numbers(outbox) == [2]
    assert outbox.counters() == Counters(lived_s=3601, dropped=1)
    outbox.close()
    later = Outbox(tmp_path / "outbox.db", lambda: TODAY + 36_500, Bounds(age_s=3600))
    OPENED.append(later)
    assert numbers(later) == [2]


def test_what_is_buried_is_counted_kept_and_tried_at_the_next_start(
    tmp_path: Path,
) -> None:
    outbox = open_outbox(tmp_path)
    outbox.store(batch(1, 2, 3))
    rows = outbox.due(9)
    outbox.bury([rows[0].id])
    outbox.bury([rows[1].id], by_us=True)
    assert numbers(outbox) == [3]
    counters = outbox.counters()
    assert (counters.dead_letters, counters.refused) == (1, 1)
    assert outbox.exhume() == 2
    assert numbers(outbox) == [1, 2, 3]
    assert outbox.counters() == counters


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    return keep_connections(monkeypatch)


def test_a_full_disk_is_an_uplink_error_and_loses_nothing(
    tmp_path: Path, connections: list[sqlite3.Connection]
) -> None:
    """SQLITE_FULL, as SQLite itself says it when no page can be added."""
    outbox = open_outbox(tmp_path)
    (database,) = connections
    outbox.store(batch(0))
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    stored = [0]
    with pytest.raises(UplinkError, match=r"takes no data: .*full"):
        for number in range(1, 200):
            outbox.store(batch(number))
            stored.append(number)
    assert numbers(outbox) == stored
    database.execute("PRAGMA max_page_count = 100000")
    outbox.store(batch(stored[-1] + 1))
    assert numbers(outbox) == [*stored, stored[-1] + 1]


FULL_DISK = """
import resource, sys
from pathlib import Path
from doorsill.errors import UplinkError
from outboxes import batch, numbers, open_outbox
outbox = open_outbox(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
try:
    for number in range(200):
        outbox.store(batch(number))
except UplinkError as error:
    print(number, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
outbox.store(batch(number))
print(numbers(outbox) == list(range(number + 1)))
"""


def test_a_disk_that_takes_no_more_bytes_is_survived(tmp_path: Path) -> None:
    """The kernel refuses the write (EFBIG): what a quota or a full card looks like."""
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=PROGRAM_S,
    )
    first, second = done.stdout.splitlines()
    assert "takes no data" in first
    assert second == "True"


def test_a_folder_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UplinkError, match="cannot open the outbox"):
        open_outbox(tmp_path / "nowhere")


def test_the_file_is_ours_alone(tmp_path: Path) -> None:
    open_outbox(tmp_path).store(batch(1))
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_every_commit_is_synced(
    tmp_path: Path, connections: list[sqlite3.Connection]
) -> None:
    open_outbox(tmp_path)
    (database,) = connections
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
