"""Two workers fill one store; one dies with SIGKILL; nothing is lost or doubled."""

from __future__ import annotations

import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import FAST, Device, Site, device, make_site, publish
from limits import wait_until
from messages import LINE
from workers import arguments, receiving, stopped

from doorsill_fleet.cli.main import run
from doorsill_fleet.ingest.subscriber import Part

WINDOWS = 300  # of each camera
CAMERAS = ("cam-04", "cam-01")  # of part 1 and 2
BATCHES = 3  # the process dies with this one
# The command, but that it dies with SIGKILL at a chosen moment.
DIES = """
import os, signal, sys
from sqlalchemy import Engine, event
from doorsill_fleet.cli import main
from doorsill_fleet.ingest.reading_client import ReadingClient
moment, left = sys.argv.pop(1), [int(sys.argv.pop(1))]
written = []
def die():
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
@event.listens_for(Engine, "after_cursor_execute")
def executed(connection, cursor, statement, *_):
    if "INSERT INTO line_windows" in statement:
        written.append(1)
if moment == "commit":
    @event.listens_for(Engine, "commit")
    def committing(connection):
        if written:
            written.clear()
            die()
else:
    acknowledge = ReadingClient.acknowledge
    def acknowledging(client, numbers):
        if numbers:
            die()
        acknowledge(client, numbers)
    ReadingClient.acknowledge = acknowledging
main.main(sys.argv[1:])
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Site]:
    """A broker with two readers."""
    yield from make_site(tmp_path, ("store", "store-2"))


@pytest.fixture
def cameras(shop: Site) -> Iterator[list[Device]]:
    """One for each of the two workers."""
    found = [device(shop.address(name), FAST).connect() for name in CAMERAS]
    yield found
    for each in found:
        each.publisher.stop()


def kept(path: Path) -> tuple[int, int, int]:
    """Windows, people who came in, windows that were new by the store's own books."""
    database = sqlite3.connect(path)
    query = "SELECT count(*), coalesce(sum(count_in), 0) FROM line_windows"
    count, people = database.execute(query).fetchone()
    (new,) = database.execute("SELECT sum(kept) FROM senders").fetchone()
    database.close()
    return count, people, new


WHOLE = (2 * WINDOWS, 2 * WINDOWS * LINE.count_in, 2 * WINDOWS)


def workers(shop: Site, path: Path) -> list[list[str]]:
    """What the two type."""
    return [
        arguments(shop, "--store", str(path), "--part", f"{part}/2", name=name)
        for part, name in ((1, "store"), (2, "store-2"))
    ]


def test_two_workers_share_the_load(
    shop: Site, cameras: list[Device], tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    first, second = workers(shop, path)
    with receiving(first, tmp_path) as one, receiving(second, tmp_path) as two:
        for camera in cameras:
            publish(camera, range(WINDOWS))
        wait_until(lambda: kept(path) == WHOLE, lambda: kept(path))
        said = [stopped(each, signal.SIGTERM) for each in (one, two)]
    shares = [int(re.findall(r"(\d+) new", each)[0]) for each in said]
    assert sorted(shares) == [WINDOWS, WINDOWS], said
    assert all("0 came again" in each for each in said), said


@pytest.mark.parametrize("moment", ["commit", "acknowledge"])
def test_one_that_is_killed_loses_nothing_and_doubles_nothing(
    shop: Site, cameras: list[Device], tmp_path: Path, moment: str
) -> None:
    """Killed with a batch received and not committed, or committed and not said so."""
    path = tmp_path / "store.db"
    dying, other = workers(shop, path)
    program = (sys.executable, "-c", DIES, moment, str(BATCHES))
    with receiving(dying, tmp_path, program) as one, receiving(other, tmp_path):
        share = WINDOWS // BATCHES  # in one batch or in several, as they come
        for begins in range(0, WINDOWS, share):
            for camera in cameras:
                publish(camera, range(begins, begins + share))
            wanted = 2 * (begins + share)
            wait_until(lambda n=wanted: one.poll() is not None or kept(path)[0] >= n)
        assert one.returncode == -signal.SIGKILL
        assert kept(path) != WHOLE or moment == "acknowledge"
        with receiving(dying, tmp_path):
            wait_until(lambda: kept(path) == WHOLE, lambda: kept(path))


@pytest.mark.parametrize("said", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_a_part_that_cannot_be_is_named(
    shop: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    words = arguments(shop, "--store", str(tmp_path / "a.db"), "--part", said)
    assert run(words) == 2
    assert "must be as 1/2" in capsys.readouterr().err


def test_each_device_is_of_one_part() -> None:
    parts = [Part(number, 3) for number in (1, 2, 3)]
    for number in range(50):
        name = f"doorsill/shop-{number % 7}/cam-{number}/interval"
        assert sum(each.holds(name) for each in parts) == 1
    assert all(Part().holds(name) for name in ("", "a/b", "doorsill/a/b/live"))


def test_a_second_worker_with_the_same_certificate_is_refused(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = arguments(shop, "--store", str(tmp_path / "store.db"))
    with receiving(words, tmp_path) as child:
        assert run(words) == 2
        assert f"pid {child.pid}" in capfd.readouterr().err
