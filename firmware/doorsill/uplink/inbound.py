"""What a broker may say to a device: short answers, and its one policy.

The device subscribes to one topic. Every byte from the broker passes here before MQTT
is parsed. These end the connection before a byte of a body is parsed: a packet that is
no answer, one whose stated length is too large, and a PUBLISH that is to another topic
than ours, carries properties, or comes more often than POLICIES_MOST in a minute.

A packet (MQTT 5.0, 2.1): one byte of type and flags, its length in one to four bytes
of seven bits, then as many bytes. A PUBLISH at QoS 0 or 1 (3.3) has the topic first,
then at QoS 1 a number of two bytes, the length of its properties, and the payload.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from doorsill.uplink.limits import packet_bytes
from doorsill.wire.messages import POLICY_LARGEST_BYTES

ANSWER_LARGEST_BYTES = 16_384  # of an answer to us; one has about 10
POLICIES_MOST = 8  # PUBLISH packets in any POLICIES_S of a connection
POLICIES_S = 60.0
PUBLISH = 3  # type of packet
# CONNACK, PUBACK, SUBACK, PINGRESP, DISCONNECT and AUTH.
ANSWERS = frozenset({2, 4, 9, 13, 14, 15})
_QOS_AT, _QOS_2 = 1, 2  # where the flags of a PUBLISH have its QoS
_LENGTH_BYTES = 4  # most bytes of a length


class UnaskedError(ConnectionError):
    """The broker sends what we did not ask for; paho treats it as a lost connection."""


def largest_packet(topic: str) -> int:
    """Bytes of the largest packet that may come: a policy of the largest size."""
    return packet_bytes(topic, bytes(POLICY_LARGEST_BYTES))


@dataclass(slots=True)
class Inbound:
    """Follows the packets of one connection by their heads."""

    topic: str  # the one that may be published to us; "" for none
    _kind: int = 0  # type of the present packet
    _qos: int = 0  # of the present PUBLISH
    _expected: bytes = b""  # what the body has to go on with, byte for byte
    _skipped: int = 0  # bytes before its properties that may be any: its number
    _bare: bool = False  # whether the length of its properties is still to come
    _body: int = 0  # bytes of the present packet that are still to come
    _length: int = 0  # of the present packet, as far as it was read
    _shift: int = -1  # bits of the length read so far; below 0 a packet begins
    _published: list[float] = field(default_factory=list)  # when, s, monotonic

    def take(self, data: bytes, now: float) -> bytes:
        """Return ``data``; UnaskedError if it is nothing that we asked for.

        ``now`` is monotonic s.
        """
        position = 0
        while position < len(data):
            if self._body:
                position = self._in_body(data, position)
            else:
                self._head(data[position], now)
                position += 1
        return data

    def _head(self, byte: int, now: float) -> None:
        if self._shift < 0:
            self._begin(byte, now)
            return
        self._length |= (byte & 0x7F) << self._shift
        self._shift += 7
        if self._length > self._most() or self._shift > 7 * _LENGTH_BYTES:
            raise UnaskedError(f"the broker sends more than {self._most()} bytes")
        if byte < 0x80:
            self._body, self._shift = self._length, -1
            if self._kind == PUBLISH:
                self._expect()

    def _begin(self, byte: int, now: float) -> None:
        """The first byte of a packet: its type and flags."""
        self._kind, self._qos = byte >> 4, byte >> _QOS_AT & 3
        if self._kind == PUBLISH:
            self._count(now)
        elif self._kind not in ANSWERS:
            raise UnaskedError(f"a packet of type {self._kind} came unasked")
        self._length = self._shift = 0

    def _count(self, now: float) -> None:
        """Note a PUBLISH; UnaskedError if it may not come at all, or not so soon."""
        if not self.topic or self._qos >= _QOS_2:
            raise UnaskedError("the broker publishes to us, unasked")
        self._published = [at for at in self._published if now - at < POLICIES_S]
        if len(self._published) >= POLICIES_MOST:
            raise UnaskedError("the broker publishes too often, unasked")
        self._published.append(now)

    def _most(self) -> int:
        """The largest length that the head of the present packet may state."""
        if self._kind != PUBLISH:
            return ANSWER_LARGEST_BYTES
        return (
            len(self._topic_bytes()) + self._number_bytes() + 1 + POLICY_LARGEST_BYTES
        )

    def _expect(self) -> None:
        """A PUBLISH begins: ours, and no other, and room for all that stands before."""
        self._expected = self._topic_bytes()
        self._skipped, self._bare = self._number_bytes(), True
        if self._length < len(self._expected) + self._skipped + 1:
            raise UnaskedError("the broker publishes to another topic, unasked")

    def _topic_bytes(self) -> bytes:
        spelt = self.topic.encode()
        return len(spelt).to_bytes(2, "big") + spelt

    def _number_bytes(self) -> int:
        return 2 if self._qos else 0

    def _in_body(self, data: bytes, position: int) -> int:
        """Follow the body; returns the position after what was looked at."""
        if self._expected:
            step = min(len(self._expected), len(data) - position)
            if data[position : position + step] != self._expected[:step]:
                raise UnaskedError("the broker publishes to another topic, unasked")
            self._expected = self._expected[step:]
        elif self._skipped:
            step = min(self._skipped, len(data) - position)
            self._skipped -= step
        elif self._bare:
            step, self._bare = 1, False
            if data[position]:
                raise UnaskedError("the broker publishes properties, unasked")
        else:
            step = min(self._body, len(data) - position)
        self._body -= step
        return position + step
