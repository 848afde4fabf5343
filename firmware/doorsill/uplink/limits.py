"""The limits that a broker states in its CONNACK (MQTT 5.0, 3.2.2.3). Pure.

A broker disconnects a client that does not keep them, again and again, and then nothing
arrives at all. Topic aliases are never used, one plain topic is subscribed to, the
session ends with the connection, and paho itself keeps the server's keep alive, so
these need nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ON_WAY_MOST = 65_535  # messages without an answer, if the broker states no limit
PACKET_BYTES_MOST = 268_435_460  # the largest packet that MQTT allows
NO_ANSWERS = (
    "the broker takes QoS 0 alone, which it never acknowledges: windows wait here "
    "until it takes QoS 1 (mosquitto: max_qos 1 or more)"
)
_LENGTH_STEPS = (128, 128**2, 128**3)  # from so many bytes the length has one more


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one connection; the defaults are those of a broker without any."""

    on_way: int = ON_WAY_MOST  # messages without an answer
    packet_bytes: int = PACKET_BYTES_MOST  # of the largest packet
    qos: int = 1  # highest; we never send at 2
    retain: bool = True  # whether it keeps retained messages

    def fit(self, topic: str, payload: bytes) -> bool:
        """Whether the broker accepts a message of this size."""
        return packet_bytes(topic, payload) <= self.packet_bytes


def limits_of(properties: Any) -> Limits:
    """The limits in the ``properties`` of a CONNACK."""
    unstated = Limits()
    return Limits(
        on_way=getattr(properties, "ReceiveMaximum", unstated.on_way),
        packet_bytes=getattr(properties, "MaximumPacketSize", unstated.packet_bytes),
        qos=min(unstated.qos, getattr(properties, "MaximumQoS", unstated.qos)),
        retain=bool(getattr(properties, "RetainAvailable", unstated.retain)),
    )


def packet_bytes(topic: str, payload: bytes) -> int:
    """Bytes of a PUBLISH at QoS 1 without properties, with its header (3.3)."""
    topic_length, number, no_properties = 2, 2, 1
    body = topic_length + len(topic.encode()) + number + no_properties + len(payload)
    return 2 + sum(body >= step for step in _LENGTH_STEPS) + body


def remarks(limits: Limits) -> list[str]:
    """What a person should know of a broker that accepts less than we send."""
    found = []
    if limits.qos < 1:
        found.append(NO_ANSWERS)
    if not limits.retain:
        found.append(
            "the broker keeps no retained messages: who comes later waits up to a "
            "minute for state and totals; allow it there (retain_available true)"
        )
    return found
