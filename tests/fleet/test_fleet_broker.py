"""Who may do what at a real mosquitto, and which broker a device takes for its own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from broker import SITE, Device, Listener, Site, device
from limits import wait_until
from paho.mqtt.client import MQTTErrorCode

from doorsill.errors import ConfigError
from doorsill.uplink.answers import Answered, Connected, Disconnected
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.tls import Address, tls_context
from doorsill.wire.codec import encode
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import State
from doorsill_fleet.broker.mosquitto import client_context

NOT_AUTHORISED = 0x87


def answer_to(listener: Listener, topic: str) -> int:
    """The reason code with which the broker acknowledges a message on ``topic``."""
    codes: list[int] = []
    client = listener.client
    client.on_publish = lambda _c, _d, _m, reason, _p: codes.append(reason.value)
    sent = client.publish(topic, b"{}", qos=1)
    assert sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
    wait_until(lambda: codes)
    return codes[0]


@pytest.mark.parametrize(
    "topic",
    [
        f"doorsill/{SITE}/store/interval",
        f"doorsill/{SITE}/reader:store/interval",
        f"doorsill/{SITE}/cam-01/interval",
        "homeassistant/device/reader:store/config",
        f"homeassistant/device/{SITE}_store/config",
    ],
)
def test_a_reader_writes_nothing(site: Site, topic: str) -> None:
    site.address("cam-01")
    with closing(Listener(site.address("store"), "$SYS/x")) as reader:
        assert answer_to(reader, topic) == NOT_AUTHORISED


def test_negative_control_a_device_writes_its_own(site: Site) -> None:
    with closing(Listener(site.address("cam-20"), "$SYS/x")) as camera:
        assert answer_to(camera, f"doorsill/{SITE}/cam-20/interval") in (0, 16)
        described = f"homeassistant/device/{SITE}_cam-20/config"
        assert answer_to(camera, described) in (0, 16)
        assert answer_to(camera, f"doorsill/{SITE}/cam-21/interval") == NOT_AUTHORISED


def test_a_device_with_the_name_of_a_reader_is_a_device(
    site: Site, tmp_path: Path
) -> None:
    """It reads nothing, and the reader stays."""
    site.broker.admit("store")
    site.authority.issue_device(SITE, "store", datetime.now(UTC)).write(tmp_path, "x")
    address = Address(
        "store",
        site.address("store").host,
        site.broker.port,
        site.broker.folder / "ca.pem",
        tmp_path / "x.pem",
        tmp_path / "x.key",
        SITE,
    )
    with (
        closing(Listener(site.address("store"), f"doorsill/{SITE}/#")) as reader,
        closing(Listener(address, f"doorsill/{SITE}/#")) as posing,
    ):
        camera = device(site.address("cam-22")).connect()
        payload = encode(State(state="ready"))
        camera.publisher.send(camera.guard.check("state", payload, 0.0), 1)
        wait_until(lambda: any("/cam-22/" in each for each, _, _ in reader.messages))
        assert not any("/cam-22/" in each for each, _, _ in posing.messages)
        assert reader.client.is_connected() and posing.client.is_connected()
        camera.publisher.stop()


def test_two_shops_may_have_a_cam_01_on_one_broker(site: Site, tmp_path: Path) -> None:
    ours = device(site.address("cam-01")).connect()
    now = datetime.now(UTC)
    site.authority.issue_device("shop-2", "cam-01", now).write(tmp_path, "theirs")
    address = replace(
        site.address("cam-01"),
        site="shop-2",
        certificate=tmp_path / "theirs.pem",
        key=tmp_path / "theirs.key",
    )
    with closing(Listener(address, "#")) as theirs:
        payload = encode(State(state="ready"))
        ours.publisher.send(ours.guard.check("state", payload, 0.0), 7)
        ours.wait(lambda: [each.tag for each in ours.heard(Answered)] == [7])
        assert ours.heard(Disconnected) == [] and theirs.client.is_connected()
        topic = f"doorsill/{SITE}/cam-01/state"
        assert answer_to(theirs, topic) == NOT_AUTHORISED
    ours.publisher.stop()


def connected(site: Site, **changes: object) -> Device:
    address = replace(site.address("cam-01"), **changes)  # type: ignore[arg-type]
    return device(address)


def test_a_broker_whose_certificate_was_taken_back_is_no_broker_of_ours(
    own_site: Site, tmp_path: Path
) -> None:
    broker = own_site.broker
    server = broker.authority.issue_server(["127.0.0.1"], datetime.now(UTC))
    server.write(broker.folder, "broker")
    broker.restart()
    revoked = tmp_path / "revoked.pem"
    now = datetime.now(UTC)
    revoked.write_bytes(broker.authority.revocation_list(now))
    good = connected(own_site, revoked=revoked).connect()  # negative control
    good.publisher.stop()
    broker.authority.revoke(server.certificate, now)
    revoked.write_bytes(broker.authority.revocation_list(now))
    refused = connected(own_site, revoked=revoked)
    refused.publisher.start()
    refused.wait(lambda: refused.heard(Disconnected))
    said = refused.heard(Disconnected)[0].reason
    place = f"the broker at 127.0.0.1:{own_site.broker.port}"
    assert f"the certificate of {place} was taken back, as {revoked} says" in said
    assert not refused.heard(Connected)
    refused.publisher.stop()


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        pytest.param(40, "taken back is too old", id="a month old"),
        pytest.param(None, "is not a list of the CA that signed", id="of another CA"),
    ],
)
def test_a_list_that_says_nothing_lets_no_broker_in(
    own_site: Site, tmp_path: Path, ago: int | None, said: str
) -> None:
    now, revoked = datetime.now(UTC), tmp_path / "revoked.pem"
    theirs = type(own_site.authority).create("somebody else", now)
    old = own_site.authority.revocation_list(now - timedelta(days=ago or 0))
    revoked.write_bytes(theirs.revocation_list(now) if ago is None else old)
    camera = connected(own_site, revoked=revoked)
    camera.publisher.start()
    camera.wait(lambda: camera.heard(Disconnected))
    assert said in camera.heard(Disconnected)[0].reason
    camera.publisher.stop()


def test_a_list_that_is_none_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no list")
    with pytest.raises(ConfigError, match=r"bad\.pem"):
        tls_context(replace(site.address("cam-01"), revoked=tmp_path / "bad.pem"))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_key_that_others_can_read_opens_no_connection(
    site: Site, tmp_path: Path, mode: int
) -> None:
    address = site.address("cam-23")
    key = tmp_path / "open.key"
    key.write_bytes(address.key.read_bytes())
    key.chmod(mode)
    will = EgressGuard(SITE, "cam-23").will(encode(State(state="lost")))
    with pytest.raises(ConfigError, match=f"has mode {mode:04o}.*chmod 600"):
        Publisher(replace(address, key=key), will)
    (tmp_path / "link.key").symlink_to(address.key)
    with pytest.raises(ConfigError, match="cannot read the key"):
        Publisher(replace(address, key=tmp_path / "link.key"), will)
    with pytest.raises(ConfigError, match=f"has mode {mode:04o}"):  # a reader's
        client_context(address.ca, address.certificate, key)
