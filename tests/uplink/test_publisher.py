"""Against a real mosquitto: a device says what it may, a stranger gets nothing."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from broker import FAST, SITE, Device, Listener, Site, device
from by_air import office, publishing
from limits import wait_until
from messages import line
from strict_broker import StrictBroker

from doorsill.errors import UntrustedError, UplinkError
from doorsill.uplink.answers import (
    Answered,
    Arrived,
    Connected,
    Disconnected,
    Unread,
)
from doorsill.uplink.inbound import largest_packet
from doorsill.uplink.publisher import IN_FLIGHT_LIMIT
from doorsill.wire.codec import decode, encode
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import POLICY, POLICY_LARGEST_BYTES, State
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.ca.authority import Authority

Make = Callable[..., Device]


def say(each: Device, word: str) -> None:
    payload = encode(State(state=word))
    each.publisher.send(each.guard.check("state", payload, 0.0))


def states(listener: Listener, name: str) -> list[str]:
    return [
        decode("state", payload).state  # type: ignore[union-attr]
        for topic, payload, _ in listener.messages
        if topic == f"doorsill/{SITE}/{name}/state"
    ]


def test_what_is_sent_arrives_and_is_answered(site: Site, make: Make) -> None:
    with closing(Listener(site.address("store"), f"doorsill/{SITE}/cam-01/#")) as store:
        camera = make(site, "cam-01").connect()
        for number in range(200):
            camera.wait(lambda: camera.publisher.room > 0)
            camera.send_interval(number)
        camera.wait(lambda: len(camera.answers) == 200)
        assert camera.answers == list(range(200))
        wait_until(lambda: len(store.on("interval")) == 200)
        assert store.on("interval") == [encode(line(60 * n)) for n in range(200)]


def test_no_more_than_the_limit_is_on_its_way(site: Site, make: Make) -> None:
    camera = make(site, "cam-02").connect()
    for number in range(IN_FLIGHT_LIMIT):
        camera.send_interval(number)
    with pytest.raises(UplinkError, match="has not answered enough"):
        camera.send_interval(99)
    camera.wait(lambda: len(camera.answers) == IN_FLIGHT_LIMIT)
    assert camera.publisher.room == IN_FLIGHT_LIMIT


def test_nothing_is_sent_before_the_connection(site: Site, make: Make) -> None:
    camera = make(site, "cam-03")
    with pytest.raises(UplinkError, match="has not answered"):
        camera.send_interval(1)


def test_what_did_not_pass_the_guard_is_not_sent(site: Site, make: Make) -> None:
    camera = make(site, "cam-16").connect()
    forged = SimpleNamespace(topic="doorsill/x/y/z", payload=b"\xff\xd8", retain=False)
    with pytest.raises(UntrustedError, match="passed the egress guard"):
        camera.publisher.send(forged)  # type: ignore[arg-type]


@pytest.mark.parametrize("farewell", [True, False], ids=["leave taken", "killed"])
def test_the_state_says_disconnected_or_else_lost(
    site: Site, make: Make, farewell: bool
) -> None:
    name = "cam-04" if farewell else "cam-05"
    with closing(Listener(site.address("store"), f"doorsill/{SITE}/{name}/#")) as store:
        camera = device(site.address(name)).connect()
        say(camera, "ready")
        wait_until(lambda: states(store, name) == ["ready"])
        if farewell:
            payload = encode(State(state="disconnected"))
            camera.publisher.stop(camera.guard.check("state", payload, 0.0))
        else:
            connection = camera.publisher.connection
            connection.client.reconnect_delay_set(60, 60)  # it stays away
            connection.drop()
        last = "disconnected" if farewell else "lost"
        wait_until(lambda: states(store, name) == ["ready", last])
    with closing(Listener(site.address("store"), f"doorsill/{SITE}/{name}/#")) as late:
        wait_until(lambda: late.messages)
        assert states(late, name) == [last]
        assert late.messages[0][2]  # retained
    if not farewell:
        camera.publisher.stop()


def test_a_device_writes_only_its_own_topics(site: Site, make: Make) -> None:
    """The guard would not let it; so a device without one tries."""
    store = Listener(site.address("store"), "#")
    camera = make(site, "cam-06").connect()
    for guard, stream in (
        (EgressGuard(SITE, "cam-07"), "interval"),
        (EgressGuard("shop-2", "cam-06"), "interval"),
        (EgressGuard(SITE, "store"), "interval"),
    ):
        payload = encode(line(0, count_out=77))
        camera.publisher.send(guard.check(stream, payload, 0.0), tag=7)
    camera.send_interval(8)
    camera.wait(lambda: len(camera.heard(Answered)) == 4)
    *refused, good = camera.heard(Answered)
    assert [event.reason for event in refused] == [0x87] * 3  # not authorized
    assert all(event.hopeless and not event.accepted for event in refused)
    assert good == Answered(8, good.reason, good.topic)
    assert good.accepted
    wait_until(lambda: any("/cam-06/" in topic for topic, _, _ in store.messages))
    assert not any(b'"out":77' in payload for _, payload, _ in store.messages)
    store.close()


@pytest.mark.parametrize(
    "topic",
    ["#", f"doorsill/{SITE}/cam-09/interval", "doorsill/+/+/state", "$SYS/#"],
)
def test_a_device_reads_no_others_topics(site: Site, make: Make, topic: str) -> None:
    """mosquitto grants the subscription and gives nothing."""
    nosy = Listener(site.address("nosy"), topic)
    store = Listener(site.address("store"), f"doorsill/{SITE}/cam-09/#")
    camera = make(site, "cam-09").connect()
    say(camera, "ready")
    camera.send_interval(1)
    wait_until(lambda: len(store.messages) >= 2)
    assert nosy.messages == []
    nosy.close()
    store.close()


def test_a_device_hears_its_own_policy_at_each_connection_and_no_others(
    own_site: Site, make: Make, tmp_path: Path
) -> None:
    """Retained, then as it is pushed; one over the limit never sets out."""
    camera = make(own_site, "cam-20")
    make(own_site, "cam-21")
    with office(own_site.broker, tmp_path) as head:
        head.push("cam-20", b"the first")
        head.push("cam-21", b"of another")
        camera.connect()
        camera.wait(lambda: heard(camera) == [b"the first"])
        head.push("cam-20", b"x" * (POLICY_LARGEST_BYTES + 1))
        head.push("cam-21", b"of another again")
        head.push("cam-20", b"x" * POLICY_LARGEST_BYTES)
        camera.wait(lambda: len(heard(camera)) == 2)
        assert heard(camera)[1] == b"x" * POLICY_LARGEST_BYTES
        head.push("cam-20", b"")
        head.push("cam-20", b"the last")
        camera.wait(lambda: len(heard(camera)) == 3)
    camera.publisher.connection.drop()
    camera.wait(lambda: len(heard(camera)) == 4)
    assert heard(camera)[2:] == [b"the last"] * 2
    assert len(camera.heard(Disconnected)) == 1


def test_it_asks_for_one_topic_at_each_connection_and_for_no_larger_packet(
    tmp_path: Path,
) -> None:
    broker = StrictBroker(tmp_path)
    camera = device(broker.address)
    topic = f"doorsill/{SITE}/cam-01/policy"
    camera.publisher.start()
    for times in (1, 2, 3):
        camera.wait(lambda times=times: len(broker.subscribed) == times)
        assert broker.subscribed == [(topic, 0b01)] * times  # QoS 1, retained too
        assert broker.packet_most == [largest_packet(topic) - 1] * times
        broker.hang_up()
    camera.publisher.stop()
    broker.close()


def test_a_broker_that_does_not_let_us_read_our_policy_is_said_and_kept(
    tmp_path: Path,
) -> None:
    broker = StrictBroker(tmp_path, granted=0x87)
    camera = device(broker.address)
    camera.connect()
    camera.wait(lambda: camera.heard(Unread))
    (unread,) = camera.heard(Unread)
    assert "not authorized" in unread.words or "access list" in unread.words
    payload = encode(line(60))
    camera.publisher.send(camera.guard.check("interval", payload, 0.0), tag=1)
    camera.wait(lambda: camera.heard(Answered))
    assert not camera.heard(Disconnected)
    camera.publisher.stop()
    broker.close()


def heard(camera: Device) -> list[bytes]:
    return [event.document for event in camera.heard(Arrived)]


def test_a_device_cannot_publish_a_policy(own_site: Site, tmp_path: Path) -> None:
    """Not even its own; nor does our program have a way to say so."""
    ours = own_site.address("cam-22")
    with pytest.raises(UntrustedError):
        EgressGuard(SITE, "cam-22").check(POLICY, b"{}", 0.0)
    listening = Listener(own_site.address("store"), f"doorsill/{SITE}/#")
    with publishing(SITE, ours) as forger:
        forger.push("cam-22", b"forged")
    with office(own_site.broker, tmp_path) as head:
        head.push("cam-22", b"genuine")
        wait_until(lambda: listening.on(POLICY))
    assert listening.on(POLICY) == [b"genuine"]
    listening.close()


# The alert, or the closed connection where it overtakes the alert.
REFUSED = r"certificate required|protocol version|unknown ca|EOF occurred|reset by peer"


def handshake(site: Site, context: ssl.SSLContext) -> bytes:
    """Connect, say MQTT, and read: TLS 1.3 tells of a refusal only here."""
    address = (site.broker.folder, site.broker.port)
    with (
        socket.create_connection(("127.0.0.1", address[1]), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(bytes.fromhex("100d00044d5154540502003c000000"))
        return secure.recv(4)


def stranger(site: Site, *, oldest_only: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.broker.folder / "ca.pem")
    if oldest_only:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        own = site.address("cam-10")
        context.load_cert_chain(own.certificate, own.key)
    return context


def test_a_stranger_gets_nothing(site: Site) -> None:
    with pytest.raises(OSError, match=REFUSED):
        handshake(site, stranger(site))
    with pytest.raises(OSError, match=REFUSED):
        handshake(site, stranger(site, oldest_only=True))
    theirs = Authority.create("somebody else", datetime.now(UTC))
    address = site.address("forged", theirs)
    forged = client_context(address.ca, address.certificate, address.key)
    with pytest.raises(OSError, match=REFUSED):
        handshake(site, forged)


def test_negative_control_a_device_of_ours_is_answered(site: Site) -> None:
    address = site.address("cam-11")
    context = client_context(address.ca, address.certificate, address.key)
    assert handshake(site, context)


def test_there_is_no_way_in_without_tls(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.broker.port), timeout=5) as plain:
        plain.sendall(bytes.fromhex("100d00044d5154540502003c000000"))
        try:
            answer = plain.recv(4)
        except ConnectionResetError:
            answer = b""
    assert answer[:1] != b"\x20"  # no CONNACK


def test_what_was_on_its_way_when_the_broker_fell_is_answered_after_it_is_back(
    own_site: Site, make: Make
) -> None:
    camera = make(own_site, "cam-01").connect()
    own_site.broker.send_signal(signal.SIGSTOP)
    for number in range(30):
        camera.send_interval(number)
    own_site.broker.send_signal(signal.SIGKILL)
    own_site.broker.restart()
    camera.wait(lambda: len(set(camera.answers)) == 30)
    assert len(camera.heard(Connected)) >= 2


def test_a_broker_that_accepts_and_stalls_is_left(own_site: Site, make: Make) -> None:
    camera = make(own_site, "cam-01", replace(FAST, ack_s=0.5)).connect()
    own_site.broker.send_signal(signal.SIGSTOP)
    camera.send_interval(1)
    camera.wait(lambda: camera.heard(Disconnected))
    assert (
        camera.heard(Disconnected)[0].reason
        == f"the broker at {camera.publisher.address.where} answered nothing for 0.5 s"
    )
    camera.wait(lambda: len(camera.heard(Disconnected)) >= 2)  # nor to a new connection
    own_site.broker.send_signal(signal.SIGCONT)
    camera.wait(lambda: camera.answers == [1])


def test_the_will_and_a_leave_do_not_hang_on_a_dead_broker(
    own_site: Site, make: Make
) -> None:
    camera = device(own_site.address("cam-01")).connect()
    own_site.broker.send_signal(signal.SIGSTOP)
    payload = encode(State(state="disconnected"))
    camera.publisher.stop(camera.guard.check("state", payload, 0.0))
    own_site.broker.send_signal(signal.SIGCONT)
