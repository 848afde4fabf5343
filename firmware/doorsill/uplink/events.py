"""What the broker said, in the words of MQTT 5's reason codes (OASIS MQTT 5.0, 2.4)."""

from __future__ import annotations

from dataclasses import dataclass

# Not authorized, topic name invalid, packet too large, payload format invalid.
NEVER = frozenset({0x87, 0x90, 0x95, 0x99})
FAILURE = 0x80
WORDS = {
    0x87: "not authorised; look at the broker's access list",
    0x90: "the topic is not allowed there",
    0x95: "the message is too large for the broker",
    0x97: "the broker's quota is used up",
    0x99: "the payload is not what the broker expects",
}


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us in."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or none came about."""

    reason: str
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker's PUBACK for the message sent with ``tag``.

    Without a tag only a refusal is told: nobody waits for the rest.
    """

    tag: int | None
    reason: int
    topic: str = ""

    @property
    def words(self) -> str:
        """For a person: which topic, and why it was refused."""
        why = WORDS.get(self.reason, "no reason that we know")
        return f"{self.topic or 'a message'}: {why} ({self.reason:#x})"

    @property
    def accepted(self) -> bool:
        """The broker has it."""
        return self.reason < FAILURE

    @property
    def hopeless(self) -> bool:
        """The broker will refuse it again however often we ask."""
        return self.reason in NEVER


Event = Connected | Disconnected | Answered
