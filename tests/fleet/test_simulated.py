"""Cameras without a lens: real certificates, real messages, and a die at the door."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleets import SITE, FleetWorld, fleet_world
from limits import END_S, PROGRAM_S, wait_until

from doorsill.cells import HealthCell, LineCell, Picture, ZoneCell
from doorsill.channels.cell_link import Received
from doorsill.config import load_config
from doorsill.policy.verdict import read_verdict
from doorsill_fleet.broker.mosquitto import Broker, configuration
from doorsill_fleet.broker.office_client import OfficeClient
from doorsill_fleet.cli import health
from doorsill_fleet.cli.main import run
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.registry.handing_out import Label, as_csv
from doorsill_fleet.stage.simulated import (
    FRAME_S,
    SimulatedCamera,
    SimulatedVision,
    enrol,
    policy_of,
)
from doorsill_fleet.store.windows import Store

UTC = 1_800_000_000  # the start of a minute


def watched(minutes: int, lines: int = 1, zones: int = 0) -> list[Received]:
    """All cells of a vision that looks on for so many minutes."""
    vision = SimulatedVision(lines, zones, random.Random(7))
    began = vision.looked
    for step in range(1, int(60 * minutes / FRAME_S)):
        vision.look(began + step * FRAME_S, UTC + step * FRAME_S)
    found = []
    while (each := vision.receive(0)) is not None:
        found.append(each)
    vision.close()
    return found


def test_a_die_says_who_comes_and_the_window_keeper_counts_them() -> None:
    found = watched(20)
    assert [each.sequence for each in found] == list(range(1, len(found) + 1))
    assert len({each.run for each in found}) == 1
    closed = [e.cell for e in found if isinstance(e.cell, LineCell) and e.cell.closed]
    people = sum(each.count_in + each.count_out for each in closed)
    assert 10 <= len(closed) <= 20
    assert 15 <= people <= 150


def test_every_place_of_the_policy_has_its_cells_and_the_picture_is_fresh() -> None:
    cells = [each.cell for each in watched(2, lines=2, zones=1)]
    assert {each.line for each in cells if isinstance(each, LineCell)} == {0, 1}
    assert {each.zone for each in cells if isinstance(each, ZoneCell)} == {0}
    accounts = [each for each in cells if isinstance(each, HealthCell)]
    assert accounts
    assert {each.picture for each in accounts} == {Picture.FRESH}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FleetWorld]:
    with fleet_world(tmp_path) as world:
        yield world


@contextmanager
def kept(fleet: FleetWorld, path: Path) -> Iterator[Subscriber]:
    """A broker of this chain, and what comes goes into the store at ``path``."""
    chain, port = fleet.chain, fleet.chain.places.broker_port
    (chain.broker / "mosquitto.conf").write_text(configuration(chain.broker, port))
    broker = Broker(chain.broker, fleet.authority, SITE, port=port)
    folder = chain.folder
    files = folder / "ca.pem", folder / "reader-store.pem", folder / "reader-store.key"
    store = Store(path)
    subscriber = Subscriber(Reader("store", "localhost", port, *files), store)
    broker.start()
    try:
        subscriber.start()
        assert subscriber.ready.wait(10)
        yield subscriber
    finally:
        subscriber.stop()
        store.close()
        broker.stop()


def test_vouchers_become_cameras_that_count(
    fleet: FleetWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--folder", str(fleet.chain.folder)]
    out, path = tmp_path / "vouchers", tmp_path / "store.db"
    add = ["device", "add", "--site", SITE, "--count", "2", "--out", str(out), *own]
    assert run(add) == 0
    words = ["simulate", f"{out}.csv", "--to", str(tmp_path / "it"), "--seconds", "3"]
    with kept(fleet, path) as subscriber:
        with fleet.serving():
            assert "people came in at 2 simulated doors" in typed(words)
        wait_until(lambda: len(windows(path)) == 2, lambda: subscriber.kept)
        again = typed(words)  # they are enrolled: no server is needed
        assert "2 cameras are enrolled" in again
    capsys.readouterr()
    assert windows(path) == {(SITE, "cam-01"), (SITE, "cam-02")}
    assert run(["devices", "--store", str(path), *own]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in said] == ["amber", "amber"]
    assert all("stopped" in line for line in said)


def test_a_policy_by_air_is_obeyed_and_another_is_refused_and_nothing_else_is_wrong(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """As `policy push` of a trial waits for it; its disk is not full because of it."""
    (made,), folder = fleet.add(), tmp_path / "it"
    with fleet.serving():
        enrol(folder, fleet.voucher(made))
    documents = []
    for version, site in ((6, SITE), (5, SITE)):
        fleet.sign_policy(site, version=version)
        path = fleet.chain.folder / "policies" / f"{site}.json"
        documents.append(path.read_bytes())
    with kept(fleet, tmp_path / "store.db") as subscriber:
        camera = SimulatedCamera(folder, random.Random(7))
        camera.start()

        def until(done: Callable[[], bool]) -> None:
            wait_until(done, lambda: camera.uplink.problems, between=camera.step)

        try:
            with OfficeClient.of(fleet.chain) as office:
                for document, words in zip(
                    documents, ("in_force", "rollback"), strict=True
                ):
                    office.publish(f"doorsill/{SITE}/{made.device}/policy", document)
                    until(lambda: verdict_of(folder) == words)  # noqa: B023
                assert policy_of(folder).version == 6
                until(lambda: camera.is_connected)
                heard = subscriber.kept.new
                until(lambda: subscriber.kept.new > heard)
                assert "disk" not in camera.uplink.problems
                # What the office said is no message of a camera that breaks the rules.
                assert subscriber.kept.rejected == 0
        finally:
            camera.leave()


def verdict_of(folder: Path) -> str:
    """The word of the last decision on what came by air."""
    found = read_verdict(load_config(folder / "doorsill.toml").verdict)
    return found.word if found else ""


def test_one_that_is_started_before_the_server_waits_for_it(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """Both are typed one behind the other, and the server takes longer to start."""
    made = fleet.add()
    table = tmp_path / "vouchers.csv"
    table.write_bytes(as_csv([Label(e, fleet.voucher(e)) for e in made]))
    log = tmp_path / "log"
    words = ["simulate", str(table), "--to", str(tmp_path / "it"), "--seconds", "1"]
    command = [sys.executable, "-m", "doorsill_fleet.cli.main", *words]
    with log.open("wb") as said:
        child = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        wait_until(lambda: b"next try" in log.read_bytes(), log.read_text, PROGRAM_S)
        with fleet.serving():
            wait_until(
                lambda: b"1 cameras are enrolled" in log.read_bytes(),
                log.read_text,
                PROGRAM_S,
            )
    finally:
        child.terminate()
        child.wait(END_S)


def test_one_that_need_not_wait_names_the_server_that_is_not_there(
    fleet: FleetWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "vouchers.csv"
    table.write_bytes(as_csv([Label(e, fleet.voucher(e)) for e in fleet.add()]))
    words = ["simulate", str(table), "--to", str(tmp_path / "it"), "--wait", "0"]
    assert run(words) == 5
    assert "does not answer" in capsys.readouterr().err


def typed(words: list[str]) -> str:
    """What the command says, as a program of its own; it must end with 0."""
    command = [sys.executable, "-m", "doorsill_fleet.cli.main", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PROGRAM_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def windows(path: Path) -> set[tuple[str, str]]:
    """Who has a window in the store."""
    store = Store(path)
    try:
        return {
            each for each in [(SITE, "cam-01"), (SITE, "cam-02")]
            if store.windows("/".join(each), 0)
        }  # fmt: skip
    finally:
        store.close()


def test_a_camera_that_the_store_does_not_know_was_never_heard(tmp_path: Path) -> None:
    Store(tmp_path / "store.db").close()
    found = health.verdicts(str(tmp_path / "store.db"), UTC)
    assert health.words(found, SITE, "cam-09").startswith("red    never heard; give it")


def test_a_table_that_holds_no_vouchers_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "visitors.csv"
    path.write_text("start,in,out\n")
    assert run(["simulate", str(path), "--to", str(tmp_path / "it")]) == 2
    assert "is no table of vouchers" in capsys.readouterr().err
