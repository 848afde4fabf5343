"""A device asked for nothing: what a broker sends beside short answers ends it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from broker import FAST, SITE, Device, device
from hypothesis import given
from hypothesis import strategies as st

from doorsill.device.health import resident_kib
from doorsill.uplink.answers import Connected, Disconnected
from doorsill.uplink.inbound import LARGEST_BYTES, Inbound, UnaskedError
from doorsill.uplink.tls import Address
from doorsill_fleet.ca.authority import Authority

CONNACK = bytes.fromhex("2003000000")
PUBACK = bytes.fromhex("40020001")
PINGRESP = bytes.fromhex("d000")
DISCONNECT = bytes.fromhex("e0028e00")
LIMIT_S = 20.0
MIB = 1 << 20


def packet(kind: int, length: int) -> bytes:
    """The head of a packet with a body of ``length`` bytes."""
    head, left = bytearray([kind << 4]), length
    while True:
        left, byte = left >> 7, left & 0x7F
        head.append(byte | (0x80 if left else 0))
        if not left:
            return bytes(head)


@given(st.lists(st.sampled_from([CONNACK, PUBACK, PINGRESP, DISCONNECT])), st.data())
def test_answers_pass_however_they_are_cut(
    packets: list[bytes], data: st.DataObject
) -> None:
    stream, inbound, passed = b"".join(packets), Inbound(), b""
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        passed += inbound.take(stream[:size])
        stream = stream[size:]
    assert passed == b"".join(packets)


@pytest.mark.parametrize("kind", [2, 4, 9, 13, 14, 15])
def test_the_longest_answer_passes_and_one_byte_more_does_not(kind: int) -> None:
    whole = packet(kind, LARGEST_BYTES) + bytes(LARGEST_BYTES)
    inbound = Inbound()
    assert inbound.take(whole + PINGRESP) == whole + PINGRESP
    with pytest.raises(UnaskedError, match="sends more than"):
        Inbound().take(packet(kind, LARGEST_BYTES + 1))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x30\x07\x00\x01a\x00xyz", id="a small one"),
        pytest.param(packet(3, 120 * MIB), id="a long one"),
        pytest.param(b"\x34\x08\x00\x01a\x00\x02\x00xy", id="one of quality 2"),
        pytest.param(b"\x20\xff\xff\xff\xff\xff", id="a length without end"),
    ],
)
def test_what_nobody_asked_for_is_refused_by_its_head(sent: bytes) -> None:
    inbound = Inbound()
    inbound.take(CONNACK)
    with pytest.raises(UnaskedError):
        for byte in sent:
            inbound.take(bytes([byte]))


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
                link.recv(1)

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


def test_negative_control_a_broker_that_only_answers_is_kept(talker: Talker) -> None:
    talker.says = [PINGRESP] * 3
    found = device(talker.address, FAST).connect()
    found.publisher.poll()
    assert found.publisher.connected
    found.publisher.stop()


def test_negative_control_without_the_check_the_packet_lies_in_memory(
    talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inbound, "take", lambda self, data: data)
    talker.says = [packet(3, 60 * MIB), *[bytes(MIB)] * 59]
    found = device(talker.address, FAST)
    before = resident_kib()
    found.publisher.start()
    found.wait(lambda: resident_kib() - before > 40 * 1024, LIMIT_S)
    found.publisher.stop()
