"""A connection to a real broker: lost, refused, taken over, and made again."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from broker import FAST, SITE, Device, Site, device
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import ConfigError
from doorsill.uplink.answers import Connected, Disconnected
from doorsill.uplink.causes import explain
from doorsill.uplink.connection import SHORT_MOST
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import State
from doorsill_fleet.ca.authority import Authority

Make = Callable[..., Device]


def test_a_broker_that_is_down_is_tried_until_it_comes(
    own_site: Site, make: Make
) -> None:
    own_site.broker.stop()
    camera = make(own_site, "cam-01")
    camera.publisher.start()
    camera.wait(lambda: len(camera.heard(Disconnected)) >= 2)
    reason = camera.heard(Disconnected)[0].reason
    where = camera.publisher.address.where
    assert reason.startswith(f"nobody listens at {where}; ")
    own_site.broker.start()
    camera.wait(lambda: camera.heard(Connected))
    camera.send_interval(1)
    camera.wait(lambda: camera.answers == [1])


def test_a_port_that_accepts_and_says_nothing_is_left(site: Site, make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        camera = make(site, "cam-12", port=mute.getsockname()[1])
        camera.publisher.start()
        camera.wait(lambda: camera.heard(Disconnected))
        where = camera.publisher.address.where
        assert camera.heard(Disconnected)[0].reason == (
            f"{where} takes the connection and does not answer; does it speak TLS?"
        )


def test_a_revoked_device_is_told_so_and_the_others_go_on(
    own_site: Site, make: Make
) -> None:
    lost, kept = make(own_site, "lost").connect(), make(own_site, "kept").connect()
    own_site.broker.revoke(own_site.issued["lost"].certificate)
    lost.wait(
        lambda: [
            event for event in lost.heard(Disconnected) if "revoked" in event.reason
        ]
    )
    kept.wait(lambda: len(kept.heard(Connected)) == 2)
    assert len(lost.heard(Connected)) == 1
    connection = lost.publisher.connection
    lost.wait(lambda: connection.patience_s == FAST.most_wait_s)  # no hammering


def test_a_broker_of_another_ca_is_not_trusted(
    own_site: Site, make: Make, tmp_path: Path
) -> None:
    theirs = Authority.create("somebody else", datetime.now(UTC))
    ca = tmp_path / "theirs.pem"
    ca.write_bytes(theirs.write_root(tmp_path).read_bytes())
    camera = make(own_site, "cam-01", ca=ca)
    camera.publisher.start()
    camera.wait(lambda: camera.heard(Disconnected))
    assert f"is not from a CA in {ca}" in camera.heard(Disconnected)[0].reason
    assert not camera.heard(Connected)


def test_a_broker_under_another_name_is_not_trusted(own_site: Site, make: Make) -> None:
    camera = make(own_site, "cam-01", host="127.0.0.2")
    server = own_site.broker.folder / "mosquitto.conf"
    server.write_text(server.read_text().replace(" 127.0.0.1\n", " 0.0.0.0\n"))
    own_site.broker.restart()
    camera.publisher.start()
    camera.wait(lambda: camera.heard(Disconnected))
    reason = camera.heard(Disconnected)[0].reason
    assert camera.publisher.address.where in reason
    assert "is for another name than 127.0.0.2;" in reason


def test_another_device_with_our_client_id_does_not_touch_us(
    site: Site, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client-id takeover: the broker takes the id from the certificate instead."""
    victim = make(site, "victim").connect()
    monkeypatch.setattr(Address, "client", "victim")
    make(site, "thief").connect()
    for number in range(5):
        victim.send_interval(number)
        victim.wait(lambda n=number: n in victim.answers)
    assert victim.heard(Disconnected) == []
    assert len(victim.heard(Connected)) == 1


def test_a_second_client_with_our_certificate_is_not_fought(
    site: Site, make: Make
) -> None:
    """mosquitto 2.0.11 closes without a word; we take longer each time."""
    touchy = replace(FAST, steady_s=60.0, most_wait_s=0.8)
    first = make(site, "cam-13", touchy).connect()
    second = make(site, "cam-13", touchy).connect()
    both = (first, second)
    first.wait(lambda: first.heard(Disconnected))

    def patient() -> bool:
        second.events.extend(second.publisher.poll())
        return all(each.publisher.connection.patience_s == 0.8 for each in both)

    first.wait(patient)
    assert all(len(each.heard(Connected)) <= 7 for each in both)
    second.publisher.connection.client.disconnect()
    rounds = len(first.heard(Connected))
    first.wait(
        lambda: first.publisher.connected or len(first.heard(Connected)) > rounds
    )
    first.send_interval(1)
    first.wait(lambda: first.answers == [1])


def test_a_broker_that_says_taken_over_is_believed(site: Site, make: Make) -> None:
    camera = make(site, "cam-15")
    reason = ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)
    client = camera.publisher.connection.client
    hung_up: Any = client.on_disconnect
    hung_up(client, None, None, reason)
    (event,) = camera.publisher.poll()
    assert event == Disconnected(
        "another client came with our certificate", taken_over=True
    )
    assert camera.publisher.connection.patience_s == FAST.most_wait_s


@pytest.mark.parametrize("spoilt", ["ca", "certificate", "key"])
def test_a_file_that_is_no_good_is_named(
    site: Site, tmp_path: Path, spoilt: str
) -> None:
    address = site.address("cam-14")
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    will = EgressGuard(SITE, "cam-14").will(encode(State(state="lost")))
    with pytest.raises(ConfigError, match=r"bad\.pem"):
        Publisher(replace(address, **{spoilt: bad}), will)
    with pytest.raises(ConfigError, match=r"absent\.pem"):
        Publisher(replace(address, **{spoilt: tmp_path / "absent.pem"}), will)


def test_words_for_what_the_network_says() -> None:
    assert explain("[Errno 111] Connection refused").startswith("nobody listens")
    assert len(explain("x" * 9999)) <= 150


def test_a_broker_that_takes_us_in_and_hangs_up_again_and_again_is_understood(
    own_site: Site, make: Make
) -> None:
    """Debian 12's mosquitto says nothing to the one whose certificate came twice.

    Debian 13's says it at once, as MQTT 5 wants.
    """
    patient = replace(FAST, steady_s=30.0)
    ours, thief = make(own_site, "cam-01", patient), make(own_site, "cam-01")
    ours.connect()
    thief.publisher.start()
    ours.wait(lambda: any(each.taken_over for each in ours.heard(Disconnected)))
    lost = [each for each in ours.heard(Disconnected) if each.taken_over]
    assert "another client came with our certificate" in lost[0].reason
    said_at_once = ours.heard(Disconnected)[0].taken_over
    assert said_at_once or len(ours.heard(Connected)) >= SHORT_MOST


def test_a_broker_that_is_restarted_twice_is_no_other_client(
    own_site: Site, make: Make
) -> None:
    ours = make(own_site, "cam-01", replace(FAST, steady_s=30.0)).connect()
    for count in (2, 3):
        own_site.broker.restart()
        ours.wait(lambda: len(ours.heard(Connected)) == count)  # noqa: B023
    assert not any(each.taken_over for each in ours.heard(Disconnected))


def test_a_thread_that_outlives_its_publisher_writes_into_nobodys_file(
    site: Site, tmp_path: Path
) -> None:
    publisher = device(site.address("cam-01"), FAST).publisher
    _, bell = publisher.connection.bell.ends
    publisher.stop()
    with (tmp_path / "certificate.json").open("w+b", buffering=0) as file:
        os.dup2(file.fileno(), bell)  # the number is somebody else's by now
        publisher.connection.say(Disconnected("late"))
        os.close(bell)
        assert file.seek(0, os.SEEK_END) == 0
