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
from limits import END_S, wait_until
from messages import LINE
from workers import arguments, receiving, stopped

from doorsill_fleet.cli.main import run

WINDOWS = 400
BATCHES = 3  # the process dies with this one
# The command, but that it dies with SIGKILL at a chosen moment.
DIES = """
import os, signal, sys
from sqlalchemy import Engine, event
from paho.mqtt.client import Client
from doorsill_fleet.cli import main
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
    acknowledge = Client.ack
    def ack(*said):
        die()
        return acknowledge(*said)
    Client.ack = ack
main.main(sys.argv[1:])
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Site]:
    """A broker with two readers."""
    yield from make_site(tmp_path, ("store", "store-2"))


@pytest.fixture
def camera(shop: Site) -> Iterator[Device]:
    found = device(shop.address("cam-01"), FAST).connect()
    yield found
    found.publisher.stop()


def kept(path: Path) -> tuple[int, int, int]:
    """Windows, people who came in, windows that were new by the store's own books."""
    database = sqlite3.connect(path)
    query = "SELECT count(*), coalesce(sum(count_in), 0) FROM line_windows"
    count, people = database.execute(query).fetchone()
    (new,) = database.execute("SELECT sum(kept) FROM senders").fetchone()
    database.close()
    return count, people, new


WHOLE = (WINDOWS, WINDOWS * LINE.count_in, WINDOWS)


def test_two_workers_share_the_load(shop: Site, camera: Device, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    words = [
        arguments(shop, "--store", str(path), name=name)
        for name in ("store", "store-2")
    ]
    with receiving(words[0], tmp_path) as one, receiving(words[1], tmp_path) as two:
        publish(camera, range(WINDOWS))
        wait_until(lambda: kept(path) == WHOLE, lambda: kept(path))
        said = [stopped(each, signal.SIGTERM) for each in (one, two)]
    shares = [int(re.findall(r"(\d+) new", each)[0]) for each in said]
    assert min(shares) >= WINDOWS // 4, shares
    assert all("0 came again" in each for each in said), said


@pytest.mark.parametrize("moment", ["commit", "acknowledge"])
def test_one_that_is_killed_loses_nothing_and_doubles_nothing(
    shop: Site, camera: Device, tmp_path: Path, moment: str
) -> None:
    """Killed with a batch received and not committed, or committed and not said so."""
    path = tmp_path / "store.db"
    dying = arguments(shop, "--store", str(path))
    other = arguments(shop, "--store", str(path), name="store-2")
    program = (sys.executable, "-c", DIES, moment, str(BATCHES))
    with receiving(dying, tmp_path, program) as one, receiving(other, tmp_path):
        publish(camera, range(WINDOWS))
        one.wait(END_S)
        assert one.returncode == -signal.SIGKILL
        assert kept(path) != WHOLE or moment == "acknowledge"
        with receiving(dying, tmp_path):
            wait_until(lambda: kept(path) == WHOLE, lambda: kept(path))


def test_two_stores_each_get_everything(
    shop: Site, camera: Device, tmp_path: Path
) -> None:
    """Only workers of one database share: a second store never takes half of it."""
    paths = [tmp_path / "store.db", tmp_path / "copy.db"]
    words = [
        arguments(shop, "--store", str(path), name=name)
        for path, name in zip(paths, ("store", "store-2"), strict=True)
    ]
    with receiving(words[0], tmp_path), receiving(words[1], tmp_path):
        publish(camera, range(WINDOWS))
        for path in paths:
            wait_until(lambda: kept(path) == WHOLE, lambda: kept(path))  # noqa: B023


def test_a_second_worker_with_the_same_certificate_is_refused(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = arguments(shop, "--store", str(tmp_path / "store.db"))
    with receiving(words, tmp_path) as child:
        assert run(words) == 2
        assert f"pid {child.pid}" in capfd.readouterr().err
