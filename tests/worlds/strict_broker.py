"""A broker that keeps to the letter what it states in CONNACK (MQTT 5.0, 3.2.2.3).

Who breaks one is thrown out with the reason code that the standard names, and the
breach is written down. Beside it, ``mosquitto`` with limits is tried as well; what it
cannot state (a keep alive of a second, a CONNACK of any code) is said here.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from broker import SITE
from limits import END_S

from doorsill.uplink.tls import Address
from doorsill_fleet.ca.authority import Authority

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
ACK_S = 0.002  # how long an answer takes
LATE_ACK_S = 0.05
POLL_S = 0.002


def spelt(number: int) -> bytes:
    """A length in MQTT's bytes of seven bits."""
    found = b""
    while True:
        number, low = number >> 7, number & 0x7F
        found += bytes([low | (0x80 if number else 0)])
        if not number:
            return found


def packet(head: int, body: bytes) -> bytes:
    return bytes([head]) + spelt(len(body)) + body


@dataclass(frozen=True)
class States:
    """What the CONNACK says; None: nothing of it."""

    packet_bytes: int | None = None
    on_way: int | None = None
    qos: int | None = None
    retain: int | None = None
    keep_alive: int | None = None
    aliases: int | None = None
    session_s: int | None = None

    def properties(self) -> bytes:
        spelt_as = (
            (0x27, ">I", self.packet_bytes),
            (0x21, ">H", self.on_way),
            (0x24, ">B", self.qos),
            (0x25, ">B", self.retain),
            (0x13, ">H", self.keep_alive),
            (0x22, ">H", self.aliases),
            (0x11, ">I", self.session_s),
        )
        return b"".join(
            bytes([number]) + struct.pack(form, value)
            for number, form, value in spelt_as
            if value is not None
        )


class Breach(Exception):
    """A limit was not kept: the reason code, and what happened."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_bytes: int


@dataclass
class StrictBroker:
    """One client at a time; ``says`` may change between two connections."""

    folder: Path
    says: States = field(default_factory=States)
    refusal: bytes = b""  # in place of a CONNACK that takes us in
    ack_s: float = LATE_ACK_S
    connections: int = 0
    breaches: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    most_on_way: int = 0
    pings: int = 0
    subscribed: list[tuple[str, int]] = field(default_factory=list)  # topic, options
    packet_most: list[int] = field(default_factory=list)  # as each CONNECT states it
    granted: int = 1  # the code of each SUBACK
    publishes: list[bytes] = field(default_factory=list)  # packets after a SUBSCRIBE
    wills: list[int] = field(default_factory=list)  # the flags of each CONNECT
    last_words: bytes = b""  # the client's DISCONNECT

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        authority = Authority.create("strict", now)
        ca = authority.write_root(self.folder)
        authority.issue_server(["127.0.0.1"], now).write(self.folder, "broker")
        issued = authority.issue_device(SITE, "cam-01", now)
        pem, key = issued.write(self.folder, "cam-01")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(
            self.folder / "broker.pem", self.folder / "broker.key"
        )
        self._tls.load_verify_locations(ca)
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.address = Address("cam-01", "127.0.0.1", port, ca, pem, key, SITE)
        self._link: ssl.SSLSocket | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def on(self, stream: str) -> list[Message]:
        return [each for each in self.messages if each.topic.endswith(f"/{stream}")]

    def hang_up(self) -> None:
        """As a broker that falls: without a word."""
        if self._link is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._link, socket.SHUT_RDWR)

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._thread.join(END_S)

    def _serve(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError):
                plain, _ = self._listener.accept()
                plain.settimeout(END_S)
                with self._tls.wrap_socket(plain, server_side=True) as link:
                    self._link = link
                    self._speak(link)

    def _speak(self, link: ssl.SSLSocket) -> None:
        self._waiting: list[tuple[float, bytes]] = []
        data = b""
        link.settimeout(POLL_S)
        while not self._closed.is_set():
            self._answer(link)
            with suppress(TimeoutError, ssl.SSLWantReadError):
                piece = link.recv(65536)
                if not piece:
                    return
                data += piece
            while (found := first_of(data)) is not None:
                whole, at = found
                data = data[len(whole) :]
                try:
                    if not self._take(link, whole, at):
                        return
                except Breach as breach:
                    self.breaches.append(str(breach))
                    link.sendall(packet(0xE0, bytes([breach.code, 0])))
                    return

    def _answer(self, link: ssl.SSLSocket) -> None:
        while self._waiting and time.monotonic() >= self._waiting[0][0]:
            _, number = self._waiting.pop(0)
            link.sendall(packet(0x40, number + b"\0\0"))

    def _take(self, link: ssl.SSLSocket, whole: bytes, at: int) -> bool:
        """Whether the connection goes on after this packet."""
        kind = whole[0] >> 4
        if kind == CONNECT:
            self.wills.append(whole[at + 7])
            self.packet_most += stated_in(whole[at + 10 :])
            if self.refusal:
                link.sendall(self.refusal)
                return False
            self.connections += 1
            properties = self.says.properties()
            body = b"\0\0" + spelt(len(properties)) + properties
            link.sendall(packet(0x20, body))
        elif kind == PUBLISH:
            self._publish(whole, at)
        elif kind == SUBSCRIBE:
            length = struct.unpack_from(">H", whole, at + 3)[0]
            name = whole[at + 5 : at + 5 + length].decode()
            self.subscribed.append((name, whole[at + 5 + length]))
            assert whole[at + 6 + length :] == b"", "it asks for more than one topic"
            link.sendall(packet(0x90, whole[at : at + 2] + bytes([0, self.granted])))
            for each in self.publishes:
                link.sendall(each)
        elif kind == PINGREQ:
            self.pings += 1
            link.sendall(b"\xd0\0")
        elif kind == DISCONNECT:
            self.last_words = whole
            return False
        return True

    def _publish(self, whole: bytes, at: int) -> None:
        says, qos, retain = self.says, whole[0] >> 1 & 3, bool(whole[0] & 1)
        length = struct.unpack_from(">H", whole, at)[0]
        topic, at = whole[at + 2 : at + 2 + length].decode(), at + 2 + length
        number, at = (whole[at : at + 2], at + 2) if qos else (b"", at)
        if says.packet_bytes is not None and len(whole) > says.packet_bytes:
            raise Breach(0x95, f"{topic}: {len(whole)} bytes")
        if says.qos is not None and qos > says.qos:
            raise Breach(0x9B, f"{topic}: QoS {qos}")
        if says.retain == 0 and retain:
            raise Breach(0x9A, f"{topic}: retained")
        if whole[at]:
            raise Breach(0x94, f"{topic}: with properties, an alias perhaps")
        payload = whole[at + 1 :]
        self.messages.append(Message(topic, payload, qos, retain, len(whole)))
        if qos:
            self._waiting.append((time.monotonic() + self.ack_s, number))
        self.most_on_way = max(self.most_on_way, len(self._waiting))
        if says.on_way is not None and len(self._waiting) > says.on_way:
            raise Breach(0x93, f"{len(self._waiting)} on their way")


def stated_in(properties: bytes) -> list[int]:
    """The Maximum Packet Size (0x27) in the properties of a CONNECT, behind others."""
    found, at, ends = [], 1, 1 + properties[0]
    sizes = {0x11: 4, 0x27: 4, 0x21: 2, 0x22: 2}
    while at < ends:
        size = sizes[properties[at]]
        if properties[at] == 0x27:
            found.append(int.from_bytes(properties[at + 1 : at + 1 + size], "big"))
        at += 1 + size
    return found


def first_of(data: bytes) -> tuple[bytes, int] | None:
    """The first whole packet, and where its body begins."""
    size, shift, at = 0, 0, 1
    while at < len(data):
        size |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return (data[: at + size], at) if len(data) >= at + size else None
    return None
