"""The broker that `serve` runs: who is refused there, and how soon a revocation holds.

mosquitto, its TLS and the cameras' connections are real.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from broker import Device, Listener, publish
from fleets import SITE, FleetWorld, address_in, enrolled, fleet_world
from limits import wait_until

from doorsill.cli.check_connect import Visit
from doorsill.uplink.tls import Address
from doorsill_fleet.broker.local import LocalBroker, look, running
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.cli.main import run
from doorsill_fleet.office.chain import open_chain

NOW = datetime.now(UTC)
REVOKED_WITHIN_S = 60.0  # what we promise


@dataclass
class Shop:
    """A chain with its own broker at work, and one camera that enrolled."""

    fleet: FleetWorld
    broker: LocalBroker
    folder: Path
    serial: str
    camera: Device

    def add(self, folder: Path) -> Device:
        """One more camera, which enrolled; the broker knows it when this returns."""
        made = self.fleet.add()[0]
        camera = enrolled(self.fleet, folder, self.fleet.voucher(made).text())
        self.settle()
        return camera

    def settle(self) -> None:
        """Wait until the broker obeys its files as they are now."""
        wait_until(lambda: self.broker.seen == look(self.broker.folder))

    @property
    def own(self) -> list[str]:
        return ["--folder", str(self.fleet.chain.folder)]

    def address(self) -> Address:
        return address_in(self.folder / "camera")

    def visit(self, address: Address) -> str:
        """What `doorsill check --connect` says at a camera with this address."""
        return " ".join(each.says for each in Visit(address).faults(SITE))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with fleet_world(tmp_path) as fleet:
        made = fleet.add()[0]
        camera = enrolled(fleet, tmp_path / "camera", fleet.voucher(made).text())
        with running(fleet.chain.broker, fleet.chain.places.broker_port) as broker:
            run_by_serve(fleet)
            yield Shop(fleet, broker, tmp_path, made.serial, camera)
        camera.publisher.stop()


def run_by_serve(fleet: FleetWorld) -> None:
    """The chain's file says that `serve` runs the broker, as ours does."""
    path = fleet.chain.folder / "fleet.toml"
    path.write_text(path.read_text().replace("local = false", "local = true"))
    assert open_chain(fleet.chain.folder).places.local


@contextmanager
def posing(shop: Shop, name: str, **changes: object) -> Iterator[Address]:
    """An address with another certificate, made by ``shop`` or by a stranger."""
    authority = changes.pop("authority", shop.fleet.authority)
    at = changes.pop("at", NOW)
    assert isinstance(authority, Authority) and isinstance(at, datetime)
    if name.startswith("reader:"):
        issued = authority.issue_reader(name.removeprefix("reader:"), at)
    else:
        issued = authority.issue_device(SITE, name, at)
    pem, key = issued.write(shop.folder, "posing")
    yield replace(shop.address(), certificate=pem, key=key, **changes)  # type: ignore[arg-type]


def foreign(shop: Shop) -> str:
    stranger = Authority.create("doorsill issuing", NOW)
    with posing(shop, "cam-01", authority=stranger) as address:
        return shop.visit(address)


def expired(shop: Shop) -> str:
    with posing(shop, "cam-01", at=NOW - timedelta(days=500)) as address:
        return shop.visit(address)


def revoked(shop: Shop) -> str:
    assert run(["device", "revoke", shop.serial, *shop.own]) == 0
    return shop.visit(shop.address())


def unlisted(shop: Shop) -> str:
    """A certificate of ours whose camera the register does not know."""
    with posing(shop, "cam-77", device="cam-77") as address:
        return shop.visit(address)


@pytest.mark.parametrize(
    ("come", "said"),
    [
        pytest.param(foreign, "does not know the CA", id="of a foreign CA"),
        pytest.param(expired, "has expired", id="expired"),
        pytest.param(revoked, "is revoked", id="revoked"),
        pytest.param(unlisted, "not authorised", id="not in the register"),
    ],
)
def test_a_certificate_that_is_no_good_is_named_at_the_camera(
    shop: Shop, come: Callable[[Shop], str], said: str
) -> None:
    assert shop.visit(shop.address()) == ""  # negative control
    assert said in come(shop)


def test_a_camera_reads_its_policy_and_no_other_and_writes_its_own_streams(
    shop: Shop,
) -> None:
    folder = shop.folder / "other"
    shop.add(folder).publisher.stop()
    with (
        closing(Listener(shop.address(), "doorsill/#")) as first,
        closing(Listener(address_in(folder), "doorsill/#")) as theirs,
    ):
        office(shop, "cam-01", b"one")
        office(shop, "cam-02", b"two")
        wait_until(lambda: first.messages and theirs.messages)
        assert [each[1] for each in first.messages] == [b"one"]
        assert [each[1] for each in theirs.messages] == [b"two"]


def office(shop: Shop, name: str, payload: bytes) -> None:
    from doorsill_fleet.broker.office_client import OfficeClient

    with OfficeClient.of(shop.fleet.chain) as client:
        client.publish(f"doorsill/{SITE}/{name}/policy", payload)


def test_a_camera_that_claims_anothers_id_gets_neither_its_session_nor_its_topics(
    shop: Shop,
) -> None:
    """The broker takes the name in the certificate, whatever id a client gives."""
    shop.camera.connect()
    with posing(shop, "cam-66") as address, closing(Listener(address, "#")) as forger:
        assert forger.client.is_connected()  # it said shop-1_cam-01
        publish(shop.camera, range(3))
        assert shop.camera.publisher.connected
        assert forger.messages == []


def test_revoked_within_a_minute_and_said_so(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """The open connection ends, a new one is refused, and another camera comes back."""
    second = shop.add(shop.folder / "other").connect()
    shop.camera.connect()
    publish(shop.camera, range(2))
    words = ["device", "revoke", shop.serial, "--why", "stolen"]
    assert run([*words, *shop.own]) == 0
    assert "has ended its connection, and refuses a new one" in capsys.readouterr().out
    shop.camera.wait(lambda: _said(shop.camera, "is revoked"), REVOKED_WITHIN_S)
    assert not shop.camera.publisher.connected
    second.wait(lambda: second.publisher.connected)
    publish(second, range(2))
    second.publisher.stop()


def _said(camera: Device, words: str) -> bool:
    return any(words in str(each) for each in camera.events)


def test_a_broker_that_was_killed_is_back_and_lost_nothing(shop: Shop) -> None:
    office(shop, "cam-01", b"kept over a kill")  # on disk in tenths of a second
    database = shop.fleet.chain.broker / "mosquitto.db"
    kept = b"kept over a kill"
    wait_until(lambda: database.exists() and kept in database.read_bytes())
    shop.broker.child.send_signal(signal.SIGKILL)
    wait_until(lambda: not shop.broker.child.alive)
    wait_until(lambda: shop.broker.child.alive and not shop.broker.away)
    shop.camera.connect()
    with closing(Listener(shop.address(), "#")) as again:
        wait_until(lambda: again.messages)
        assert again.messages[0][1:] == (b"kept over a kill", True)


def test_a_new_camera_does_not_end_the_connection_of_the_others(shop: Shop) -> None:
    shop.camera.connect()
    second = shop.add(shop.folder / "second").connect()
    publish(second, range(1))
    second.publisher.stop()
    publish(shop.camera, range(1))
    assert not _said(shop.camera, "Disconnected")


def test_check_finds_what_is_wrong_and_write_mends_it(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["broker", "check", "--connect", *shop.own]) == 0
    said = capsys.readouterr().out
    for who in ("no certificate", "another authority", "TLS 1.2"):
        assert f"{who}: refused" in said
    broker = shop.fleet.chain.broker
    listed = (broker / "revoked.pem").read_bytes()
    assert run(["device", "revoke", shop.serial, *shop.own]) == 0
    (broker / "revoked.pem").write_bytes(listed)  # somebody's older copy
    (broker / "access").write_text(f"user {SITE}_cam-01\ntopic doorsill/#\n")
    capsys.readouterr()
    assert run(["broker", "check", *shop.own]) == 1
    said = capsys.readouterr().out
    assert f"revoked.pem lacks a certificate of {shop.serial}" in said
    assert "access is not what this fleet wants" in said
    assert run(["broker", "write", *shop.own]) == 0
    assert run(["broker", "check", *shop.own]) == 0


def test_a_broker_that_lets_strangers_in_is_found(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Negative control for `check --connect`."""
    conf = shop.fleet.chain.broker / "mosquitto.conf"
    text = conf.read_text()
    for strict, loose in (
        ("allow_anonymous false", "allow_anonymous true"),
        ("require_certificate true", "require_certificate false"),
        ("use_identity_as_username true\n", ""),
        ("use_username_as_clientid true\n", ""),
        ("tls_version tlsv1.3\n", "tls_version tlsv1.2\n"),
    ):
        assert strict in text
        text = text.replace(strict, loose)
    conf.write_text(text)
    shop.settle()
    assert run(["broker", "check", "--connect", *shop.own]) == 1
    said = capsys.readouterr().out
    assert "the broker lets no certificate in" in said
    assert "mosquitto.conf is not what this fleet wants" in said


def test_what_runs_the_broker_runs_alone(shop: Shop) -> None:
    from doorsill.errors import ConfigError

    with (
        pytest.raises(ConfigError, match=f"pid {os.getpid()}"),
        running(shop.fleet.chain.broker, shop.fleet.chain.places.broker_port),
    ):
        pass
