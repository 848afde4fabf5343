"""A shop's own broker and the chain's: nothing is lost while one of them is away.

Two real mosquittos with mutual TLS; a camera at one, and the office at the other.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from broker import Device, Listener, publish
from fleets import SITE, FleetWorld, address_in, enrolled, fleet_world
from limits import wait_until

from doorsill.config import load_config
from doorsill.uplink.tls import Address
from doorsill.wire.codec import decode
from doorsill.wire.messages import LineInterval
from doorsill_fleet.broker.bridge import as_child
from doorsill_fleet.broker.child import Child
from doorsill_fleet.broker.mosquitto import free_port
from doorsill_fleet.broker.office_client import OfficeClient
from doorsill_fleet.cli.main import run
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.register import transaction

OTHER, NOW = "shop-2", datetime.now(UTC)


@dataclass
class Line:
    """Both brokers, and a camera of the shop."""

    fleet: FleetWorld
    chain: Child
    shop: Child
    camera: Device
    folder: Path

    def reader(self) -> Address:
        """The office's reader, at the chain's broker."""
        own, places = self.fleet.chain.folder, self.fleet.chain.places
        pem, key = own / "reader-store.pem", own / "reader-store.key"
        port = places.broker_port
        return Address("reader:store", "localhost", port, own / "ca.pem", pem, key)

    def kill(self, child: Child) -> None:
        child.send_signal(signal.SIGKILL)
        wait_until(lambda: not child.alive)

    def saved(self, number: int) -> bool:
        """Whether the shop's broker has minute ``number`` on its disk."""
        start = f'"start":{60 * number}'.encode()
        path = self.shop.folder / "mosquitto.db"
        return path.exists() and start in path.read_bytes()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    port, out = free_port(), tmp_path / "shop"
    with fleet_world(tmp_path) as fleet:
        with transaction(fleet.register) as session:
            devices.add_site(session, OTHER, NOW, approves=False)
        made = fleet.add()[0]
        fleet.add(site=OTHER)
        words = ["--host", "localhost", "--port", str(port), "--out", str(out)]
        own = ["--folder", str(fleet.chain.folder)]
        assert run(["broker", "bridge", SITE, *words, *own]) == 0
        text = as_child(fleet.chain, SITE, out, port)
        (out / "mosquitto.conf").write_text(text)
        voucher = fleet.voucher(made).text()
        camera = enrolled(fleet, tmp_path / "camera", voucher)
        chain = Child(fleet.chain.broker, fleet.chain.places.broker_port)
        shop = Child(out, port)
        chain.start()
        shop.start()
        try:
            yield Line(fleet, chain, shop, camera, tmp_path)
        finally:
            camera.publisher.stop()
            shop.stop()
            chain.stop()


def starts(listener: Listener) -> list[int]:
    """The minutes that were heard, in order of their coming."""
    found = [decode("interval", each) for each in listener.on("interval")]
    assert all(isinstance(each, LineInterval) for each in found)
    return [each.start // 60 for each in found if isinstance(each, LineInterval)]


def test_a_camera_of_this_shop_enrols_to_its_own_broker(line: Line) -> None:
    own = load_config(line.folder / "camera" / "doorsill.toml").broker
    assert (own.host, own.port) == ("localhost", line.shop.port)


def test_what_comes_while_the_line_is_down_arrives_when_it_is_back(line: Line) -> None:
    line.camera.connect()
    with closing(Listener(line.reader(), "doorsill/#")) as office:
        publish(line.camera, range(5))
        wait_until(lambda: set(starts(office)) == set(range(5)))
    line.kill(line.chain)
    publish(line.camera, range(5, 60))
    line.chain.start()
    with closing(Listener(line.reader(), "doorsill/#")) as office:
        wait_until(lambda: set(starts(office)) >= set(range(5, 60)), within_s=60)


def test_a_shops_broker_that_is_killed_meanwhile_still_has_all_of_it(
    line: Line,
) -> None:
    line.camera.connect()
    line.kill(line.chain)
    publish(line.camera, range(40))
    wait_until(lambda: line.saved(39))
    line.kill(line.shop)
    line.shop.start()
    line.camera.wait(lambda: line.camera.publisher.connected)
    publish(line.camera, range(40, 50))
    line.chain.start()
    with closing(Listener(line.reader(), "doorsill/#")) as office:
        wait_until(lambda: set(starts(office)) >= set(range(50)), within_s=60)


def test_a_policy_goes_down_to_a_camera_that_comes_later_and_not_up_again(
    line: Line,
) -> None:
    own = address_in(line.folder / "camera")
    with (
        closing(Listener(line.reader(), "doorsill/#")) as office,
        OfficeClient.of(line.fleet.chain) as client,
    ):
        client.publish(f"doorsill/{SITE}/cam-01/policy", b"version 2")
        client.publish(f"doorsill/{OTHER}/cam-01/policy", b"another shop's")
        with closing(Listener(own, "doorsill/#")) as early:
            wait_until(lambda: early.messages)
        with closing(Listener(own, "doorsill/#")) as late:
            wait_until(lambda: late.messages)
            assert late.messages == [
                (f"doorsill/{SITE}/cam-01/policy", b"version 2", True)
            ]
        publish(line.camera.connect(), range(1))
        wait_until(lambda: starts(office))
        assert len(office.on(f"{SITE}/cam-01/policy")) == 1


def test_a_shops_broker_can_speak_for_no_other_shop(line: Line) -> None:
    """Who has the bridge's key writes what its shop's cameras may write, no more."""
    pem, key = line.shop.folder / "bridge.pem", line.shop.folder / "bridge.key"
    line.shop.stop()
    address = replace(line.reader(), device=f"bridge:{SITE}", certificate=pem, key=key)
    with closing(Listener(address, "doorsill/#")) as bridge:
        codes: list[int] = []
        client = bridge.client
        client.on_publish = lambda _c, _d, _m, reason, _p: codes.append(reason.value)
        for number, (site, stream) in enumerate(
            ((SITE, "interval"), (OTHER, "interval"), (SITE, "policy")), 1
        ):
            client.publish(f"doorsill/{site}/cam-01/{stream}", b"", qos=1)
            wait_until(lambda wanted=number: len(codes) == wanted)
        assert [code >= 0x80 for code in codes] == [False, True, True]
        assert bridge.messages == []  # it reads policies alone


def test_its_lists_are_written_again_and_its_keys_stay(line: Line) -> None:
    out = line.shop.folder
    before = {each.name: each.read_bytes() for each in out.iterdir() if each.is_file()}
    line.fleet.add()
    words = ["--host", "localhost", "--port", str(line.shop.port), "--out", str(out)]
    own = ["--folder", str(line.fleet.chain.folder)]
    assert run(["broker", "bridge", SITE, *words, *own]) == 0
    assert f"user {SITE}_cam-02" in (out / "access").read_text()
    for name in ("bridge.key", "broker.key", "bridge.pem"):
        assert (out / name).read_bytes() == before[name]
    assert run(["broker", "bridge", "../x", *words, *own]) == 2
