"""What a broker says with its CONNACK that it takes (MQTT 5.0, 3.2.2.3). Pure.

Who does not keep these is thrown out, comes again, and is thrown out again: then
nothing arrives at all. Topic aliases and subscriptions are never used, the session ends
with the connection, and paho itself keeps the server's keep alive, so that those need
nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ON_WAY_MOST = 65_535  # messages without an answer, where the broker does not say
PACKET_BYTES_MOST = 268_435_460  # the largest packet that MQTT can spell
NO_ANSWERS = (
    "the broker takes QoS 0 alone, which it never acknowledges: windows wait here "
    "until it takes QoS 1 (mosquitto: max_qos 1 or more)"
)
_LENGTH_STEPS = (128, 128**2, 128**3)  # bytes from which the length needs one byte more


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one connection; the defaults are those of a broker that states none."""

    on_way: int = ON_WAY_MOST
    packet_bytes: int = PACKET_BYTES_MOST
    qos: int = 1  # ours is never above it
    retain: bool = True

    def fit(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes a message of this size."""
        return packet_bytes(topic, payload) <= self.packet_bytes


def limits_of(properties: Any) -> Limits:
    """What stands in the properties of a CONNACK."""
    unstated = Limits()
    return Limits(
        on_way=getattr(properties, "ReceiveMaximum", unstated.on_way),
        packet_bytes=getattr(properties, "MaximumPacketSize", unstated.packet_bytes),
        qos=min(unstated.qos, getattr(properties, "MaximumQoS", unstated.qos)),
        retain=bool(getattr(properties, "RetainAvailable", unstated.retain)),
    )


def packet_bytes(topic: str, payload: bytes) -> int:
    """Bytes of a PUBLISH at QoS 1 without properties, its head included (3.3)."""
    topic_length, number, no_properties = 2, 2, 1
    body = topic_length + len(topic.encode()) + number + no_properties + len(payload)
    return 2 + sum(body >= step for step in _LENGTH_STEPS) + body


def remarks(limits: Limits) -> list[str]:
    """What a person should know of a broker that takes less than we send."""
    found = []
    if limits.qos < 1:
        found.append(NO_ANSWERS)
    if not limits.retain:
        found.append(
            "the broker keeps no retained messages: who comes later waits up to a "
            "minute for state and totals; allow it there (retain_available true)"
        )
    return found
