"""From a voucher to a row: enrolment, a real mosquitto, the receiver; then revoked."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Device, publish
from fleets import SITE, FleetWorld, enrolled, fleet_world
from limits import END_S, PROGRAM_S, wait_until

from doorsill.cli import main
from doorsill.config import load_config
from doorsill_fleet.broker.mosquitto import Broker, configuration
from doorsill_fleet.cli.main import run


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FleetWorld]:
    with fleet_world(tmp_path) as world:
        yield world


@contextmanager
def broker_of(fleet: FleetWorld) -> Iterator[Broker]:
    """mosquitto with the files that ``init`` and ``device`` made for it."""
    folder, port = fleet.chain.broker, fleet.chain.places.broker_port
    (folder / "mosquitto.conf").write_text(configuration(folder, port))
    broker = Broker(folder, fleet.authority, SITE, port=port)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def receiving(fleet: FleetWorld, path: Path) -> Iterator[None]:
    folder, log = fleet.chain.folder, path.with_suffix(".log")
    program = [
        sys.executable, "-m", "doorsill_fleet.cli.main", "receive",
        "--broker", f"localhost:{fleet.chain.places.broker_port}",
        "--ca", folder / "ca.pem", "--certificate", folder / "reader-store.pem",
        "--key", folder / "reader-store.key", "--csv", path,
    ]  # fmt: skip
    with log.open("w") as said:
        child = subprocess.Popen(program, stdout=said, stderr=said)
        try:
            wait_until(lambda: "connected" in log.read_text(), log.read_text, PROGRAM_S)
            yield
        finally:
            child.terminate()
            child.wait(END_S)


def rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_voucher_becomes_a_row_and_a_revoked_camera_writes_no_more(
    fleet: FleetWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--folder", str(fleet.chain.folder)]
    out, kept = tmp_path / "labels", tmp_path / "visitors.csv"
    assert run(["device", "add", "--site", SITE, "--out", str(out), *own]) == 0
    with out.with_suffix(".csv").open() as file:
        row = next(csv.DictReader(file))
    camera = enrolled(fleet, tmp_path / "camera", row["voucher"])
    with broker_of(fleet) as broker, receiving(fleet, kept):
        camera.connect()
        publish(camera, range(3))
        wait_until(lambda: len(rows(kept)) == 3)
        assert {each["device"] for each in rows(kept)} == {"cam-01"}
        assert run(["device", "revoke", row["serial"], "--why", "stolen", *own]) == 0
        broker.restart()  # what `doorsill-fleet broker install` does with a new list
        camera.wait(lambda: not camera.publisher.connected)
        camera.wait(lambda: _refusals(camera))
        assert "revoked" in str(_refusals(camera)[-1])
    camera.publisher.stop()
    assert run(["devices", *own]) == 0
    assert "revoked" in capsys.readouterr().out


def _refusals(camera: Device) -> list[str]:
    return [str(each) for each in camera.events if "revoked" in str(each)]


@pytest.mark.parametrize("change", ["replace", "move"])
def test_another_board_or_another_shop_wants_another_voucher(
    fleet: FleetWorld, tmp_path: Path, change: str
) -> None:
    own = ["--folder", str(fleet.chain.folder)]
    made = fleet.add()[0]
    enrolled(fleet, tmp_path / "old", fleet.voucher(made).text())
    assert run(["site", "add", "shop-2", *own]) == 0
    fleet.sign_policy("shop-2", attributes=False)
    site = ["--site", "shop-2"] if change == "move" else []
    out = tmp_path / "again"
    assert run(["device", change, made.serial, "--out", str(out), *site, *own]) == 0
    with out.with_suffix(".csv").open() as file:
        row = next(csv.DictReader(file))
    assert row["site"] == ("shop-2" if site else SITE)
    enrolled(fleet, tmp_path / "new", row["voucher"])
    config = load_config(tmp_path / "new" / "doorsill.toml")
    assert (config.device.site, config.device.id) == (row["site"], row["device"])
    with fleet.serving():  # the old board's certificate is void
        words = ["enrol", "--renew", "--to", str(tmp_path / "old"), "--wait", "0"]
        assert main.run(words) == 0  # not yet at two thirds: it does not even ask
