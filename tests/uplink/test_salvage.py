"""A broken outbox loses what cannot be read, and no more; nothing is overwritten."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
from spoilt import (
    PAGE,
    TODAY,
    WINDOWS,
    entry,
    kept,
    one_page,
    opened,
    overwrite,
    settle,
)

from doorsill.errors import UplinkError
from doorsill.privacy.budget import CEILING_MICRO, Ledger, spend
from doorsill.uplink import database, salvage
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.rows import Batch, Entry


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 windows in the file, 50 more in its log, as a power cut leaves them."""
    used, cut = tmp_path_factory.mktemp("used"), tmp_path_factory.mktemp("cut")
    outbox = Outbox(used / "outbox.db", lambda: TODAY)
    outbox.live(2 * 86_400)
    outbox.store(Batch([entry(n) for n in range(WINDOWS)], "a tally"))
    settle(used / "outbox.db")
    for number in range(WINDOWS, WINDOWS + 50):
        outbox.store(Batch([entry(number)], ledger=Ledger(TODAY, 1_500_000)))
    for name in ("outbox.db", "outbox.db-wal"):
        shutil.copy(used / name, cut / name)
    outbox.close()
    return cut


@pytest.fixture
def files(whole: Path, tmp_path: Path) -> Path:
    """A copy of them to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "cut"))


def eight_pages(path: Path) -> None:
    overwrite(path, 60 * PAGE, os.urandom(8 * PAGE))


def the_head(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()  # it holds a good first page
    overwrite(path, 0, bytes(16))


def the_first_page(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()
    overwrite(path, 0, bytes(PAGE))


def half_of_it(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


@pytest.mark.parametrize(
    ("damage", "least"),
    [
        pytest.param(one_page, WINDOWS + 50 - 20, id="one page"),
        pytest.param(eight_pages, WINDOWS + 50 - 160, id="eight pages in a row"),
        pytest.param(the_head, WINDOWS, id="the first sixteen bytes"),
        pytest.param(the_first_page, WINDOWS, id="the first page"),
        pytest.param(half_of_it, WINDOWS // 4, id="half of it is gone"),
    ],
)
def test_what_can_be_read_goes_on_and_the_newest_are_in_the_log(
    files: Path, damage: Callable[[Path], None], least: int
) -> None:
    damage(files / "outbox.db")
    outbox = opened(files)
    found = kept(outbox)
    assert len(found) >= least
    assert found == sorted(set(found))
    assert outbox.counters().resets == 1
    outbox.store(Batch([entry(0)]))
    outbox.close()
    again = opened(files)  # whole from now on
    assert again.counters().resets == 1
    again.close()


def test_a_first_page_that_the_log_has_as_well_costs_nothing(files: Path) -> None:
    overwrite(files / "outbox.db", 0, bytes(PAGE))
    outbox = opened(files)
    assert len(kept(outbox)) == WINDOWS + 50
    assert outbox.counters().resets == 0
    outbox.close()


def test_the_tally_is_saved_and_the_day_is_spent(files: Path) -> None:
    one_page(files / "outbox.db")
    outbox = opened(files)
    assert outbox.tally() == "a tally"
    assert outbox.ledger() == Ledger(TODAY, CEILING_MICRO, young=True)
    outbox.close()


def test_what_is_set_aside_keeps_its_number_and_is_never_written_over(
    files: Path,
) -> None:
    aside: dict[Path, bytes] = {}
    for number in (1, 2, 3):
        one_page(files / "outbox.db")
        opened(files).close()
        assert {path: path.read_bytes() for path in aside} == aside
        newest = files / f"outbox.broken-{number}.db"
        aside[newest] = newest.read_bytes()
        assert len(list(files.glob("*.broken-*.db"))) == number


def test_a_technician_can_still_read_what_is_set_aside(files: Path) -> None:
    one_page(files / "outbox.db")
    opened(files).close()
    found = salvage.salvage(files / "outbox.broken-1.db")
    assert len(found.rows) >= WINDOWS + 30


def test_there_is_a_bound_on_what_is_set_aside(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BROKEN_LIMIT", 1)
    one_page(files / "outbox.db")
    opened(files).close()
    one_page(files / "outbox.db")
    with pytest.raises(UplinkError, match="move them away"):
        opened(files)
    (files / "outbox.broken-1.db").unlink()
    outbox = opened(files)
    assert len(kept(outbox)) >= WINDOWS
    outbox.close()


@pytest.mark.parametrize("length", [0, 1, 15, 16, 100, 511, 512, 4095, 4096])
def test_no_length_is_new(tmp_path: Path, length: int) -> None:
    """Cut off anywhere, it is damage: what was spent today is not forgotten."""
    first = opened(tmp_path)
    first.live(2 * 86_400)
    first.store(Batch(ledger=Ledger(TODAY, 1_500_000)))
    first.close()
    os.truncate(tmp_path / "outbox.db", length)
    outbox = opened(tmp_path)
    assert outbox.counters().resets == 1
    assert spend(outbox.ledger(), TODAY, 250_000, CEILING_MICRO) is None
    outbox.close()


def test_a_file_that_breaks_days_after_the_start_spends_the_day_that_it_is(
    tmp_path: Path,
) -> None:
    day = [TODAY]
    outbox = Outbox(tmp_path / "outbox.db", lambda: day[0])
    outbox.store(Batch([entry(n) for n in range(200)]))
    day[0] += 3
    outbox.store(Batch(ledger=Ledger(day[0], CEILING_MICRO)))
    settle(tmp_path / "outbox.db")
    overwrite(tmp_path / "outbox.db", PAGE, b"\xff" * 8 * PAGE)
    with pytest.raises(UplinkError, match="was broken"):
        outbox.due(1000)
    assert outbox.ledger().day == day[0]
    assert spend(outbox.ledger(), day[0], 250_000, CEILING_MICRO) is None
    outbox.store(Batch([entry(300)]))
    outbox.close()


def fill_disk(patch: pytest.MonkeyPatch, suffix: str) -> None:
    """No file whose name ends with ``suffix`` can be made."""
    in_python, in_os = Path.open, os.open

    def refuse(path: str | Path) -> None:
        if Path(path).suffix == suffix:
            raise OSError(28, "No space left on device")

    def open_path(self: Path, *mode: Any, **options: Any) -> IO[Any]:
        refuse(self)
        return in_python(self, *mode, **options)

    def open_handle(path: Path, *flags: int) -> int:
        refuse(path)
        return in_os(path, *flags)

    patch.setattr(Path, "open", open_path)
    patch.setattr(os, "open", open_handle)


@pytest.mark.parametrize(
    "full",
    [
        pytest.param(".salvage", id="no room for the copy"),
        pytest.param(".new", id="no room for the new file"),
    ],
)
def test_a_full_disk_leaves_the_broken_file_where_it_is(
    files: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    one_page(files / "outbox.db")
    with monkeypatch.context() as patch:
        fill_disk(patch, full)
        for _ in range(4):
            with pytest.raises(UplinkError, match="cannot replace"):
                opened(files)
    assert not list(files.glob("*.broken*"))
    outbox = opened(files)
    assert len(kept(outbox)) >= WINDOWS + 30
    outbox.close()


def test_an_outbox_in_use_on_a_full_disk_is_tried_again(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt used to move the new, empty file over the set-aside one."""
    outbox = opened(files)
    settle(files / "outbox.db")
    one_page(files / "outbox.db")
    with monkeypatch.context() as patch:
        fill_disk(patch, ".new")
        for _ in range(3):
            with pytest.raises(UplinkError, match=r"cannot replace .* No space left"):
                outbox.due(10_000)
    assert not list(files.glob("*.broken*"))
    assert len(kept(outbox)) >= WINDOWS + 30
    assert len(list(files.glob("*.broken*.db"))) == 1
    outbox.close()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(sqlite3.OperationalError("database is locked"), id="locked"),
        pytest.param(sqlite3.ProgrammingError("closed"), id="our own mistake"),
        pytest.param(sqlite3.InterfaceError("bad parameter"), id="a wrong parameter"),
        pytest.param(sqlite3.IntegrityError("CHECK failed"), id="a bound"),
        pytest.param(sqlite3.DatabaseError("file is read-only"), id="read only"),
    ],
)
def test_only_damage_sets_aside(
    files: Path, error: sqlite3.Error, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[sqlite3.Error] = []

    class Faulty(sqlite3.Connection):
        def execute(self, *words: Any) -> sqlite3.Cursor:
            if faults:
                raise faults.pop()
            return super().execute(*words)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Faulty))
    outbox = opened(files)
    faults.append(error)
    with pytest.raises(UplinkError, match="takes no data"):
        outbox.due(1)
    assert faults == []
    assert not list(files.glob("*.broken*"))
    assert len(kept(outbox)) == WINDOWS + 50
    outbox.close()


def test_a_file_of_a_newer_firmware_is_no_damage(files: Path) -> None:
    with sqlite3.connect(files / "outbox.db") as other:
        other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(UplinkError, match="of a newer firmware"):
        opened(files)
    assert not list(files.glob("*.broken*"))


@pytest.mark.parametrize("done", ["made", "moved"])
def test_a_crash_between_two_steps_is_finished_at_the_next_start(
    files: Path, monkeypatch: pytest.MonkeyPatch, done: str
) -> None:
    one_page(files / "outbox.db")
    rename = Path.rename

    def die(self: Path, target: Path) -> Path:
        if done == "made" or self.suffix == ".new":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            opened(files)
    assert (files / "outbox.db").exists() is (done == "made")
    assert (files / "outbox.new").exists()
    outbox = opened(files)
    assert len(kept(outbox)) >= WINDOWS + 30
    assert outbox.counters().resets == 1
    outbox.close()


def test_a_card_that_does_not_give_a_page_costs_that_page(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread = os.pread

    length = (files / "outbox.db").stat().st_size

    def refuse(handle: int, size: int, offset: int) -> bytes:
        if offset == 20 * PAGE and os.fstat(handle).st_size == length:
            raise OSError(5, "Input/output error")
        return pread(handle, size, offset)

    monkeypatch.setattr(os, "pread", refuse)
    assert len(salvage.salvage(files / "outbox.db").rows) >= WINDOWS + 30


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_broken_no_row_is_invented_and_the_outbox_goes_on(
    files: Path, seed: int
) -> None:
    dice, path = random.Random(seed), files / "outbox.db"
    size = path.stat().st_size
    for _ in range(dice.randrange(1, 6)):
        overwrite(path, dice.randrange(size), dice.randbytes(dice.randrange(1, 9000)))
    outbox = opened(files)
    found = kept(outbox)  # a KeyError for a row that was never stored
    assert len(set(found)) == len(found)
    outbox.store(Batch([Entry("new", "interval", entry(7).payload)], "a tally"))
    assert outbox.tally() == "a tally"
    outbox.close()


CONFINED = """
import sys
from pathlib import Path
from doorsill.process.confine import Confinement, confine
from doorsill.errors import UplinkError
from spoilt import kept, one_page, opened, settle
folder = Path(sys.argv[1])
outbox = opened(folder)
settle(folder / "outbox.db")
confine(Confinement("uplink", writable=[folder]))
one_page(folder / "outbox.db")
try:
    kept(outbox)
except UplinkError as error:
    print(error)
print(len(kept(outbox)))
"""


def test_the_process_can_do_it_once_it_has_confined_itself(files: Path) -> None:
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, str(files)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    said, rows = done.stdout.splitlines()
    assert "was broken" in said
    assert int(rows) >= WINDOWS + 30
    assert (files / "outbox.broken-1.db").exists()
