"""``doorsill-fleet receive`` as a person runs it: with a real broker, and killed."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import FAST, SITE, Device, Site, device, publish
from fleets import fleet_world
from limits import wait_until
from workers import arguments, receiving, stopped

from doorsill_fleet.broker import local
from doorsill_fleet.cli.main import run

WINDOWS = 300


def starts(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row["start"] for row in csv.DictReader(file)]


@pytest.fixture
def camera(own_site: Site) -> Iterator[Device]:
    found = device(own_site.address("cam-01"), FAST).connect()
    yield found
    found.publisher.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "^C"])
def test_a_signal_ends_it_with_everything_on_disk_and_a_summary(
    own_site: Site, camera: Device, tmp_path: Path, number: int
) -> None:
    path = tmp_path / "visitors.csv"
    with receiving(arguments(own_site, "--csv", str(path)), tmp_path) as child:
        publish(camera, range(50))
        wait_until(lambda: len(starts(path)) == 50)
        said = stopped(child, number)
    assert f"{path}: 50 new, 0 came again, from 1 devices" in said
    assert len(set(starts(path))) == 50


def test_kill_9_loses_nothing_and_doubles_nothing(
    own_site: Site, camera: Device, tmp_path: Path
) -> None:
    """Killed again and again while windows come; the broker keeps what it owes."""
    path = tmp_path / "visitors.csv"
    for turn in range(4):
        with receiving(arguments(own_site, "--csv", str(path)), tmp_path) as child:
            before = len(starts(path))
            publish(camera, range(60 * turn, 60 * turn + 60))
            wait_until(lambda: len(starts(path)) > before)  # noqa: B023
            os.kill(child.pid, signal.SIGKILL)
    with receiving(arguments(own_site, "--csv", str(path)), tmp_path) as child:
        wait_until(lambda: len(starts(path)) == 240)
        stopped(child, signal.SIGTERM)
    assert len(set(starts(path))) == 240


def test_what_comes_while_it_is_away_waits_at_the_broker(
    own_site: Site, camera: Device, tmp_path: Path
) -> None:
    path = tmp_path / "visitors.db"
    kept = ("--sqlite", str(path), "--site", SITE)
    with receiving(arguments(own_site, *kept), tmp_path) as child:
        stopped(child, signal.SIGTERM)
    publish(camera, range(WINDOWS))
    with receiving(arguments(own_site, *kept), tmp_path) as child:
        query = "SELECT count(*), count(DISTINCT start) FROM line_windows"
        with sqlite3.connect(path) as database:
            wait_until(lambda: database.execute(query).fetchone() == (WINDOWS, WINDOWS))
        database.close()
        stopped(child, signal.SIGTERM)


def test_without_a_site_a_database_names_the_shop(
    own_site: Site, camera: Device, tmp_path: Path
) -> None:
    path = tmp_path / "all.db"
    with receiving(arguments(own_site, "--sqlite", str(path)), tmp_path) as child:
        publish(camera, range(3))
        with sqlite3.connect(path) as database:
            query = "SELECT DISTINCT site, device FROM line_windows"
            wait_until(lambda: database.execute(query).fetchall() == [(SITE, "cam-01")])
        database.close()
        stopped(child, signal.SIGTERM)


def test_a_second_one_on_the_same_file_is_refused(
    own_site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "visitors.csv"
    with receiving(arguments(own_site, "--csv", str(path)), tmp_path) as child:
        assert run(arguments(own_site, "--csv", str(path))) == 2
        assert f"pid {child.pid}" in capsys.readouterr().err


def test_what_is_no_message_of_a_camera_is_set_aside(
    own_site: Site, camera: Device, tmp_path: Path
) -> None:
    path = tmp_path / "visitors.csv"
    with receiving(arguments(own_site, "--csv", str(path)), tmp_path) as child:
        camera.publisher.connection.client.publish(
            f"doorsill/{SITE}/cam-01/live", b"{}", 1
        )
        publish(camera, range(5))
        wait_until(lambda: len(starts(path)) == 5)
        said = stopped(child, signal.SIGTERM)
    assert "1 messages were of no camera" in said
    assert '"text": "{}"' in Path(f"{path}.quarantine.jsonl").read_text()


def test_it_stops_by_itself_where_it_is_told_how_long(
    own_site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "visitors.csv"
    assert run([*arguments(own_site, "--csv", str(path)), "--seconds", "2"]) == 0
    assert "0 new" in capsys.readouterr().out


def test_a_broker_that_is_not_there_is_named_and_ends_with_5(
    own_site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(own_site, "--csv", str(tmp_path / "a.csv"))
    own_site.broker.stop()
    assert run([*words, "--seconds", "2"]) == 5
    where = f"{own_site.address('store').host}:{own_site.broker.port}"
    assert f"nobody listens at {where}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"--broker": "a:b:c"}, "must be HOST or HOST:PORT", id="no host"),
        pytest.param({"--broker": "shop:99999"}, "HOST or HOST:PORT", id="no port"),
        pytest.param({"--ca": "none.pem"}, "--ca none.pem is not there", id="no CA"),
        pytest.param({"--certificate": "none.pem"}, "none.pem", id="no certificate"),
        pytest.param({"--key": "none.key"}, "none.key", id="no key"),
        pytest.param({"--csv": "no/where.csv"}, "there is no folder no", id="folder"),
        pytest.param({"--site": "Porto 1"}, "1 to 16 characters", id="no site"),
        pytest.param({"--seconds": "0"}, "below the minimum of 1", id="no time"),
        pytest.param({"--sqlite": "b.db"}, "--csv", id="two files"),
    ],
)
def test_wrong_input_is_named_with_its_value(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = dict(zip(*[iter(arguments(site, "--csv", "a.csv")[1:])] * 2, strict=True))
    said = [word for pair in (given | changes).items() for word in pair]
    assert run(["receive", *said]) == 2
    assert words in capsys.readouterr().err


def test_a_cameras_certificate_is_no_readers(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = site.address("cam-01")
    words = arguments(site, "--csv", str(tmp_path / "a.csv"))
    words[words.index("--certificate") + 1] = str(own.certificate)
    assert run(words) == 2
    assert "must be reader:NAME" in capsys.readouterr().err


def test_help_has_examples_that_parse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["receive", "--help"]) == 0
    said = capsys.readouterr().out
    assert "examples:" in said and "visitors.csv" in said
    assert run(["recieve"]) == 2
    assert "did you mean receive?" in capsys.readouterr().err


NEEDED = ("fleet.toml", "ca.pem", "reader-store.pem", "reader-store.key")


def test_a_chains_folder_or_four_files_of_it_say_all_that_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    with fleet_world(tmp_path) as fleet:
        chain = fleet.chain
        for each in NEEDED:
            (copied / each).write_bytes((chain.folder / each).read_bytes())
            (copied / each).chmod(0o600)
        with local.running(chain.broker, chain.places.broker_port):
            for folder in (chain.folder, copied):
                store = ["--store", str(tmp_path / f"{folder.name}.db")]
                words = ["receive", "--folder", str(folder), *store, "--seconds", "3"]
                assert run(words) == 0, capsys.readouterr().err
                assert "0 new, 0 came again" in capsys.readouterr().out


def test_a_second_worker_takes_the_chains_second_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fleet_world(tmp_path) as fleet:
        store = ["--store", str(tmp_path / "a.db"), "--seconds", "1"]
        words = ["receive", "--folder", str(fleet.chain.folder), *store]
        assert run([*words, "--part", "2/2"]) == 5  # nobody listens there
    assert (tmp_path / "a.db.store-2.lock").exists()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--folder", "none"], "none is no fleet", id="no folder"),
        pytest.param([], "--broker or --folder is required", id="neither"),
        pytest.param(
            ["--folder", "a", "--broker", "b"], "not allowed with", id="two places"
        ),
    ],
)
def test_where_the_broker_is_has_to_be_said_once(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["receive", *words, "--csv", "a.csv"]) == 2
    assert says in capsys.readouterr().err
