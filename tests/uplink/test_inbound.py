"""Short answers and our own policy pass; whatever else a broker sends ends it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from broker import FAST, SITE, Device, device
from hypothesis import given, settings
from hypothesis import strategies as st

from doorsill.device.health import resident_kib
from doorsill.uplink.answers import Arrived, Connected, Disconnected
from doorsill.uplink.inbound import (
    ANSWER_LARGEST_BYTES,
    ANSWERS,
    POLICIES_MOST,
    POLICIES_S,
    Inbound,
    UnaskedError,
    largest_packet,
)
from doorsill.uplink.paho_client import session
from doorsill.uplink.tls import Address
from doorsill.wire.messages import POLICY_LARGEST_BYTES
from doorsill_fleet.ca.authority import Authority

CONNACK = bytes.fromhex("2003000000")
PUBACK = bytes.fromhex("40020001")
PINGRESP = bytes.fromhex("d000")
DISCONNECT = bytes.fromhex("e0028e00")
SUBACK = bytes.fromhex("9004000100 01".replace(" ", ""))
TOPIC = f"doorsill/{SITE}/cam-01/policy"
OTHER = f"doorsill/{SITE}/cam-02/policy"
LIMIT_S = 20.0
MIB = 1 << 20


def length(size: int) -> bytes:
    """A length in MQTT's bytes of seven bits."""
    found = bytearray()
    while True:
        size, byte = size >> 7, size & 0x7F
        found.append(byte | (0x80 if size else 0))
        if not size:
            return bytes(found)


def packet(kind: int, size: int) -> bytes:
    """The head of a packet with a body of ``size`` bytes."""
    return bytes([kind << 4]) + length(size)


def publish(
    topic: str = TOPIC, payload: bytes = b"{}", flags: int = 0b0011, more: bytes = b"\0"
) -> bytes:
    """A PUBLISH; ``flags`` are QoS 1 and retained, ``more`` is its properties."""
    number = b"\x00\x07" if flags & 0b0110 else b""
    spelt = topic.encode()
    body = len(spelt).to_bytes(2, "big") + spelt + number + more + payload
    return bytes([0x30 | flags]) + length(len(body)) + body


PASSING = (
    CONNACK, PUBACK, SUBACK, PINGRESP, DISCONNECT, publish(), publish(flags=0),
    publish(flags=0b1010), publish(payload=b""), publish(payload=bytes(300)),
)  # fmt: skip


@given(st.lists(st.sampled_from(PASSING), max_size=POLICIES_MOST), st.data())
def test_answers_and_our_policy_pass_however_they_are_cut(
    packets: list[bytes], data: st.DataObject
) -> None:
    stream, inbound, passed = b"".join(packets), Inbound(TOPIC), b""
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        passed += inbound.take(stream[:size], 0.0)
        stream = stream[size:]
    assert passed == b"".join(packets)


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_the_longest_answer_passes_and_one_byte_more_does_not(kind: int) -> None:
    whole = packet(kind, ANSWER_LARGEST_BYTES) + bytes(ANSWER_LARGEST_BYTES)
    inbound = Inbound(TOPIC)
    assert inbound.take(whole + PINGRESP, 0.0) == whole + PINGRESP
    with pytest.raises(UnaskedError, match="sends more than"):
        Inbound(TOPIC).take(packet(kind, ANSWER_LARGEST_BYTES + 1), 0.0)


@pytest.mark.parametrize("flags", [0, 0b0010, 0b1011], ids=["QoS 0", "QoS 1", "again"])
def test_the_largest_policy_passes_and_one_byte_more_does_not(flags: int) -> None:
    largest = publish(payload=bytes(POLICY_LARGEST_BYTES), flags=flags)
    assert len(largest) <= largest_packet(TOPIC)
    assert Inbound(TOPIC).take(largest + PINGRESP, 0.0) == largest + PINGRESP
    over = publish(payload=bytes(POLICY_LARGEST_BYTES + 1), flags=flags)
    with pytest.raises(UnaskedError, match="sends more than"):
        Inbound(TOPIC).take(over[:4], 0.0)


def test_what_we_say_to_the_broker_is_the_largest_packet_that_passes() -> None:
    """But for the first byte, which mosquitto does not count."""
    largest = publish(payload=bytes(POLICY_LARGEST_BYTES))
    assert len(largest) == largest_packet(TOPIC)
    stated: Any = session(TOPIC)
    assert stated.MaximumPacketSize == largest_packet(TOPIC) - 1
    assert len(largest) - POLICY_LARGEST_BYTES < 64  # head and topic


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(publish(OTHER), id="another device's topic"),
        pytest.param(publish(f"{TOPIC}/x"), id="below our topic"),
        pytest.param(publish(TOPIC[:-1]), id="a part of our topic"),
        pytest.param(publish(TOPIC.upper()), id="our topic in capitals"),
        pytest.param(publish(""), id="no topic, as with an alias"),
        pytest.param(publish("a"), id="a small one"),
        pytest.param(publish(TOPIC, flags=0b0100), id="quality 2"),
        pytest.param(publish(TOPIC, flags=0b0110), id="quality 3"),
        pytest.param(publish(more=b"\x03\x23\x00\x01"), id="a topic alias"),
        pytest.param(publish(more=b"\xff\xff\xff\x7f"), id="endless properties"),
        pytest.param(b"\x33\x02\x00\x21", id="cut before the topic"),
        pytest.param(b"\x30\x00", id="of no length"),
        pytest.param(packet(3, 120 * MIB), id="a long one"),
        pytest.param(b"\x20\xff\xff\xff\xff\xff", id="a length without end"),
        *(
            pytest.param(packet(kind, 2), id=f"type {kind}")
            for kind in set(range(16)) - ANSWERS - {3}
        ),
    ],
)
def test_what_nobody_asked_for_is_refused_before_its_payload(sent: bytes) -> None:
    inbound = Inbound(TOPIC)
    inbound.take(CONNACK, 0.0)
    with pytest.raises(UnaskedError):
        for byte in sent:
            inbound.take(bytes([byte]), 0.0)


def test_without_a_topic_nothing_may_be_published() -> None:
    with pytest.raises(UnaskedError, match="publishes to us"):
        Inbound("").take(publish(""), 0.0)


def test_more_policies_than_a_person_signs_end_the_connection() -> None:
    inbound = Inbound(TOPIC)
    for number in range(POLICIES_MOST):
        inbound.take(publish(), float(number))
    with pytest.raises(UnaskedError, match="too often"):
        inbound.take(publish(), POLICIES_S - 1)
    later = Inbound(TOPIC)
    for number in range(3 * POLICIES_MOST):
        later.take(publish(), number * POLICIES_S / POLICIES_MOST)


def rule(stream: bytes) -> list[bytes]:
    """The packets of ``stream`` that may pass; slow and plain, for comparison.

    The last one may be cut. ValueError for a stream that must be refused.
    """
    found, policies = [], 0
    while stream:
        kind, at, size, shift = stream[0] >> 4, 1, 0, 0
        while at < len(stream):
            size, shift, at = size | (stream[at] & 0x7F) << shift, shift + 7, at + 1
            if stream[at - 1] < 0x80 or shift >= 28:
                break
        whole, body = stream[: at + size], stream[at : at + size]
        ended = at > 1 and stream[at - 1] < 0x80
        if kind == 3:
            policies += 1
            head = len(TOPIC).to_bytes(2, "big") + TOPIC.encode()
            skip = 2 if stream[0] & 0b0110 else 0
            qos, before = stream[0] >> 1 & 3, len(head) + skip + 1
            if qos > 1 or policies > POLICIES_MOST:
                raise ValueError
            if size > before + POLICY_LARGEST_BYTES or (ended and size < before):
                raise ValueError
            if (
                body[: len(head)] != head[: len(body)]
                or body[before - 1 : before] > b"\0"
            ):
                raise ValueError
        elif kind not in ANSWERS or size > ANSWER_LARGEST_BYTES:
            raise ValueError
        if not ended and shift >= 28:
            raise ValueError
        if not ended:
            return found
        found.append(whole)
        stream = stream[at + size :]
    return found


HEADS = st.binary(max_size=6)
PIECES = st.one_of(
    st.sampled_from([*PASSING, publish(OTHER), publish(flags=0b0100)]),
    st.builds(publish, payload=st.binary(max_size=40), flags=st.integers(0, 15)),
    st.builds(publish, more=st.binary(max_size=4)),
    st.builds(publish, topic=st.text(max_size=30)),
    st.binary(max_size=30),
    st.builds(lambda head: head + TOPIC.encode(), HEADS),
)


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=20), st.data())
def test_arbitrary_bytes_in_arbitrary_chunks_pass_only_if_the_rule_allows_them(
    pieces: list[bytes], data: st.DataObject
) -> None:
    stream, inbound, passed = b"".join(pieces), Inbound(TOPIC), b""
    refused, left = False, stream
    while left and not refused:
        size = data.draw(st.integers(1, len(left)))
        try:
            passed += inbound.take(left[:size], 0.0)
        except UnaskedError:
            refused = True
        left = left[size:]
    try:
        allowed = rule(stream)
    except ValueError:
        assert refused
        rule(passed)  # what had passed before that is allowed by itself
    else:
        assert not refused and passed == stream
        assert passed.startswith(b"".join(allowed))


@dataclass
class Talker:
    """A broker with a good certificate that says anything after CONNACK."""

    folder: Path
    says: list[bytes] = field(default_factory=list)
    taken: int = 0  # bytes that the device took

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        authority = Authority.create("talker", now)
        ca = authority.write_root(self.folder)
        authority.issue_server(["localhost"], now).write(self.folder, "broker")
        pem, key = authority.issue_device(SITE, "cam-01", now).write(
            self.folder, "cam-01"
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(
            self.folder / "broker.pem", self.folder / "broker.key"
        )
        self._context.load_verify_locations(ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT_S)
        port = self._listener.getsockname()[1]
        self.address = Address("cam-01", "localhost", port, ca, pem, key, SITE)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            plain, _ = self._listener.accept()
            plain.settimeout(LIMIT_S)
            with self._context.wrap_socket(plain, server_side=True) as link:
                link.recv(4096)
                link.sendall(CONNACK)
                for each in self.says:
                    link.sendall(each)
                    self.taken += len(each)
                while link.recv(4096):  # what it asks for, until it leaves
                    pass

    def close(self) -> None:
        self._listener.close()
        self._thread.join(LIMIT_S)


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[Talker]:
    found = Talker(tmp_path)
    yield found
    found.close()


def left(found: Device) -> Disconnected:
    """Why the device left the broker; it had been taken in before."""
    found.publisher.start()
    found.wait(lambda: found.heard(Disconnected), LIMIT_S)
    assert found.heard(Connected)
    (first, *_) = found.heard(Disconnected)
    assert isinstance(first, Disconnected)
    return first


@pytest.mark.parametrize(
    "says",
    [
        pytest.param([packet(3, 120 * MIB), *[bytes(MIB)] * 120], id="one of 120 MB"),
        pytest.param(
            [b"\x34" + packet(3, 5000)[1:] + b"\x00\x01a\x00\x02\x00" + bytes(4994)]
            * 5000,
            id="25 MB in small ones of quality 2",
        ),
        pytest.param([packet(15, 60 * MIB), *[bytes(MIB)] * 60], id="AUTH of 60 MB"),
        pytest.param([publish(OTHER)], id="another device's policy"),
        pytest.param(
            [publish(payload=bytes(POLICY_LARGEST_BYTES + 1))], id="a policy too large"
        ),
        pytest.param(
            [publish(payload=bytes(16_000))] * 1000, id="our policy a thousand times"
        ),
    ],
)
def test_an_unasked_packet_is_refused_by_size_and_costs_no_memory(
    talker: Talker, says: list[bytes]
) -> None:
    talker.says = says
    found = device(talker.address, FAST)
    before = resident_kib()
    reason = left(found).reason
    grown = resident_kib() - before
    found.publisher.stop()
    where = talker.address.where
    assert reason == f"the broker at {where} sends what nobody asked for"
    assert grown < 12 * 1024  # of 120 MB
    assert talker.taken < 8 * MIB  # what lay in the sockets between us


def test_what_comes_before_the_refusal_is_handed_on_and_no_more(
    talker: Talker,
) -> None:
    talker.says = [publish(payload=b"policy %d" % each) for each in range(1000)]
    found = device(talker.address, FAST)
    left(found)
    found.publisher.stop()
    handed = [event.document for event in found.heard(Arrived)]
    assert handed == [b"policy %d" % each for each in range(len(handed))]
    assert 0 < len(handed) <= POLICIES_MOST


def test_an_empty_policy_means_nothing(talker: Talker) -> None:
    talker.says = [publish(payload=b""), publish(payload=b"one")]
    found = device(talker.address, FAST)
    found.publisher.start()
    found.wait(lambda: found.heard(Arrived))
    assert found.heard(Arrived) == [Arrived(b"one")]
    assert found.publisher.connected
    found.publisher.stop()


def test_negative_control_a_broker_that_only_answers_is_kept(talker: Talker) -> None:
    talker.says = [PINGRESP] * 3
    found = device(talker.address, FAST).connect()
    found.publisher.poll()
    assert found.publisher.connected
    found.publisher.stop()


def test_negative_control_without_the_check_the_packet_lies_in_memory(
    talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inbound, "take", lambda self, data, now: data)
    talker.says = [packet(3, 60 * MIB), *[bytes(MIB)] * 59]
    found = device(talker.address, FAST)
    before = resident_kib()
    found.publisher.start()
    found.wait(lambda: resident_kib() - before > 40 * 1024, LIMIT_S)
    found.publisher.stop()
