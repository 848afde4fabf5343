"""Against a real mosquitto: a device says what it may, a stranger gets nothing."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from broker import FAST, SITE, Device, Listener, Site, device
from limits import wait_until
from messages import line
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.uplink.answers import Answered, Connected, Disconnected
from doorsill.uplink.causes import explain
from doorsill.uplink.patience import Timing
from doorsill.uplink.publisher import IN_FLIGHT_LIMIT, SHORT_MOST, Publisher
from doorsill.wire.codec import decode, encode
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import State
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.ca.authority import Authority

Make = Callable[..., Device]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make devices; whatever the test does, they are stopped."""
    made: list[Device] = []

    def make_one(
        site: Site, name: str, timing: Timing = FAST, **changes: Any
    ) -> Device:
        made.append(device(replace(site.address(name), **changes), timing))
        return made[-1]

    yield make_one
    for each in made:
        each.publisher.stop()


def interval(each: Device, number: int) -> None:
    payload = encode(line(60 * number))
    each.publisher.send(each.guard.check("interval", payload, 0.0), tag=number)


def say(each: Device, word: str) -> None:
    payload = encode(State(state=word))
    each.publisher.send(each.guard.check("state", payload, 0.0))


def answers(each: Device) -> list[int]:
    return [event.tag for event in each.heard(Answered) if event.accepted]


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
            camera.wait(lambda: camera.publisher.room)
            interval(camera, number)
        camera.wait(lambda: len(answers(camera)) == 200)
        assert answers(camera) == list(range(200))
        wait_until(lambda: len(store.on("interval")) == 200)
        assert store.on("interval") == [encode(line(60 * n)) for n in range(200)]


def test_no_more_than_the_limit_is_on_its_way(site: Site, make: Make) -> None:
    camera = make(site, "cam-02").connect()
    for number in range(IN_FLIGHT_LIMIT):
        interval(camera, number)
    with pytest.raises(UplinkError, match="has not answered enough"):
        interval(camera, 99)
    camera.wait(lambda: len(answers(camera)) == IN_FLIGHT_LIMIT)
    assert camera.publisher.room == IN_FLIGHT_LIMIT


def test_nothing_is_sent_before_the_connection(site: Site, make: Make) -> None:
    camera = make(site, "cam-03")
    with pytest.raises(UplinkError, match="has not answered"):
        interval(camera, 1)


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
            camera.publisher._client.reconnect_delay_set(60, 60)  # it stays away
            camera.publisher._drop_connection()
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
    interval(camera, 8)
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
    interval(camera, 1)
    wait_until(lambda: len(store.messages) >= 2)
    assert nosy.messages == []
    nosy.close()
    store.close()


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
    interval(camera, 1)
    camera.wait(lambda: answers(camera) == [1])


def test_what_was_on_its_way_when_the_broker_fell_is_answered_after_it_is_back(
    own_site: Site, make: Make
) -> None:
    camera = make(own_site, "cam-01").connect()
    own_site.broker.send_signal(signal.SIGSTOP)
    for number in range(30):
        interval(camera, number)
    own_site.broker.send_signal(signal.SIGKILL)
    own_site.broker.restart()
    camera.wait(lambda: len(set(answers(camera))) == 30)
    assert len(camera.heard(Connected)) >= 2


def test_a_broker_that_accepts_and_stalls_is_left(own_site: Site, make: Make) -> None:
    camera = make(own_site, "cam-01", replace(FAST, ack_s=0.5)).connect()
    own_site.broker.send_signal(signal.SIGSTOP)
    interval(camera, 1)
    camera.wait(lambda: camera.heard(Disconnected))
    assert (
        camera.heard(Disconnected)[0].reason
        == f"the broker at {camera.publisher.address.where} answered nothing for 0.5 s"
    )
    camera.wait(lambda: len(camera.heard(Disconnected)) >= 2)  # nor to a new connection
    own_site.broker.send_signal(signal.SIGCONT)
    camera.wait(lambda: answers(camera) == [1])


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
    lost.wait(lambda: lost.publisher._patience == FAST.most_wait_s)  # no hammering


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
    site: Site, make: Make
) -> None:
    """The client-id takeover: the broker takes the id from the certificate instead."""
    victim = make(site, "victim").connect()
    thief = make(site, "thief")
    thief.publisher._client._client_id = b"victim"
    thief.connect()
    for number in range(5):
        interval(victim, number)
        victim.wait(lambda n=number: n in answers(victim))
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
        return all(each.publisher._patience == 0.8 for each in both)

    first.wait(patient)
    assert all(len(each.heard(Connected)) <= 7 for each in both)
    second.publisher._client.disconnect()
    rounds = len(first.heard(Connected))
    first.wait(
        lambda: first.publisher.connected or len(first.heard(Connected)) > rounds
    )
    interval(first, 1)
    first.wait(lambda: answers(first) == [1])


def test_a_broker_that_says_taken_over_is_believed(site: Site, make: Make) -> None:
    camera = make(site, "cam-15")
    reason = ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)
    camera.publisher._on_disconnect(camera.publisher._client, None, None, reason)
    (event,) = camera.publisher.poll()
    assert event == Disconnected(
        "another client came with our certificate", taken_over=True
    )
    assert camera.publisher._patience == FAST.most_wait_s


def test_the_will_and_a_leave_do_not_hang_on_a_dead_broker(
    own_site: Site, make: Make
) -> None:
    camera = device(own_site.address("cam-01")).connect()
    own_site.broker.send_signal(signal.SIGSTOP)
    payload = encode(State(state="disconnected"))
    camera.publisher.stop(camera.guard.check("state", payload, 0.0))
    own_site.broker.send_signal(signal.SIGCONT)


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
    _, bell = publisher._wake
    publisher.stop()
    with (tmp_path / "certificate.json").open("w+b", buffering=0) as file:
        os.dup2(file.fileno(), bell)  # the number is somebody else's by now
        publisher._say("lost", ("late",))
        os.close(bell)
        assert file.seek(0, os.SEEK_END) == 0
