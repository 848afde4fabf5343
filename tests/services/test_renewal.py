"""`doorsill run` renews a certificate by itself, against a real server."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select

import pytest
from children import started
from fleets import SITE, FleetWorld, fleet_world
from limits import END_S, wait_until

from doorsill.device import identity
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.renewing import due_at
from doorsill.enrolment.stage import READY, Stage
from doorsill.errors import UntrustedError
from doorsill.services import renewal
from doorsill.services.renewal import LOOK_EVERY_S, Renewal
from doorsill_fleet.broker.mosquitto import Broker, configuration, running_broker

SHORT = timedelta(minutes=20)  # after an hour of slack: at two thirds when it is made


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FleetWorld]:
    """A fleet that renews at any time, as if years had gone by."""
    monkeypatch.setattr("doorsill_fleet.enrolment.service.RENEWABLE_FROM", 0.0)
    with fleet_world(tmp_path / "office") as world, world.serving():
        yield world


@pytest.fixture
def camera(fleet: FleetWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A camera whose certificate is at two thirds of its life."""
    to = tmp_path / "camera"
    with monkeypatch.context() as old:
        old.setattr("doorsill_fleet.ca.authority.LEAF_VALID", SHORT)
        voucher = fleet.voucher(fleet.add()[0])
        join(Stage(to, "enrol"), voucher, Wanted("street"), time.time())
    assert due_at(identity.load(to).certificate) < datetime.now(UTC)
    return to


def renewed(of: Renewal, begin: float = 0.0) -> bool:
    """One look, until its process has ended; whether it said so."""
    said = of.turn(begin)
    assert not said

    def ended() -> bool:
        nonlocal said
        said = of.turn(begin)
        return said or not of.is_asking

    wait_until(ended)
    return said


def test_at_two_thirds_another_certificate_is_in_place_and_it_is_said_once(
    camera: Path,
) -> None:
    old, of = identity.load(camera), Renewal(camera / "device.crt")
    assert renewed(of)
    new = identity.load(camera)
    assert new.key.public_key() != old.key.public_key()
    assert (new.site, new.device) == (SITE, old.device)
    assert not of.turn(1.0) and not of.is_asking
    assert not renewed(of, LOOK_EVERY_S)  # not due
    assert identity.load(camera).certificate == new.certificate


@pytest.mark.parametrize("due", [False, True])
def test_nobody_is_asked_before_it_is_time(
    fleet: FleetWorld, camera: Path, tmp_path: Path, due: bool
) -> None:
    young = tmp_path / "young"
    voucher = fleet.voucher(fleet.add()[0])
    join(Stage(young, "enrol"), voucher, Wanted("street"), time.time())
    of = Renewal((camera if due else young) / "device.crt")
    there = json.loads((of.folder / "fleet.json").read_text())
    with socket.create_server(("127.0.0.1", 0)) as door:
        there["port"] = door.getsockname()[1]
        (of.folder / "fleet.json").write_text(json.dumps(there))
        of.turn(0.0)
        wait_until(
            lambda: select([door], [], [], 0)[0] or not (of.turn(0.0) or of.is_asking)
        )
        assert bool(select([door], [], [], 0)[0]) is due
    of.stop()


def test_a_camera_that_no_fleet_enrolled_asks_nobody(camera: Path) -> None:
    (camera / "fleet.json").unlink()
    of = Renewal(camera / "device.crt")
    assert not of.turn(0.0) and not of.is_asking


def test_a_pair_that_a_power_cut_left_half_is_whole_after_a_look(camera: Path) -> None:
    old = (camera / "device.crt").read_bytes()
    assert renewed(Renewal(camera / "device.crt"))
    new, stage = (camera / "device.crt").read_bytes(), Stage(camera, "renewal")
    stage.put("device.key", (camera / "device.key").read_bytes())
    stage.put("device.crt", new)
    stage.put(READY, b"")
    (camera / "device.crt").write_bytes(old)  # the key of the new one is there already
    with pytest.raises(UntrustedError):
        identity.load(camera)
    assert renewed(Renewal(camera / "device.crt"))
    assert (camera / "device.crt").read_bytes() == new and identity.load(camera)
    assert not stage.folder.exists()


def test_a_fleet_that_is_down_is_asked_again_and_the_old_pair_stays(
    fleet: FleetWorld, camera: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "TRY_S", 0.0)
    old, of = (camera / "device.crt").read_bytes(), Renewal(camera / "device.crt")
    there = (camera / "fleet.json").read_text()
    port = str(fleet.chain.places.port)
    (camera / "fleet.json").write_text(there.replace(port, "1"))
    assert not renewed(of)
    assert (camera / "device.crt").read_bytes() == old
    (camera / "fleet.json").write_text(there)
    assert renewed(of, LOOK_EVERY_S)


def test_one_that_hangs_is_ended_and_one_that_is_stopped_loses_nothing(
    camera: Path,
) -> None:
    of = Renewal(camera / "device.crt")
    of.turn(0.0)
    assert of.is_asking
    of.stop()
    assert not of.is_asking
    of.turn(LOOK_EVERY_S)
    assert of.is_asking
    assert not of.turn(LOOK_EVERY_S + renewal.HANGS_AFTER_S + 1)
    assert not of.is_asking
    assert renewed(of, 3 * LOOK_EVERY_S)


def test_a_camera_that_runs_goes_on_with_the_other_key(
    fleet: FleetWorld, camera: Path, tmp_path: Path
) -> None:
    """Its processes start again, and the broker knows who connects."""
    folder, port = fleet.chain.broker, fleet.chain.places.broker_port
    (folder / "mosquitto.conf").write_text(configuration(folder, port))
    text = (camera / "doorsill.toml").read_text()
    own = '[device]\nstate = "state"\nrun = "run"'
    (camera / "doorsill.toml").write_text(text.replace("[device]", own))
    old, log = (camera / "device.crt").read_bytes(), tmp_path / "run.log"
    words = [sys.executable, "-m", "doorsill", "run", "--config"]
    command = [*words, str(camera / "doorsill.toml")]
    with (
        running_broker(Broker(folder, fleet.authority, SITE, port=port)),
        log.open("wb") as said,
        started(command, stdout=said, stderr=said) as child,
    ):
        wait_until(
            lambda: log.read_text().count("connected to") >= 2,
            log.read_text,
            within_s=3 * END_S,
        )
        assert child.poll() is None
        child.terminate()
    assert (camera / "device.crt").read_bytes() != old
    assert "Traceback" not in log.read_text()
