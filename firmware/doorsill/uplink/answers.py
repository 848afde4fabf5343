"""What the broker said."""

from __future__ import annotations

from dataclasses import dataclass, field

from doorsill.uplink.limits import Limits
from doorsill.uplink.reasons import FAILURE, NEVER, TOO_LARGE, words


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us in, and this is what it takes."""

    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or none came about."""

    reason: str
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker's PUBACK for the message sent with ``tag``.

    Without a tag only a refusal is told: nobody waits for the rest. What the broker
    said that it would not take is answered at once, and never sent.
    """

    tag: int | None
    reason: int
    topic: str = ""

    @property
    def words(self) -> str:
        """For a person: which topic, why it was refused, and what to do."""
        return f"{self.topic or 'a message'}: {words(self.reason)}"

    @property
    def accepted(self) -> bool:
        """The broker has it."""
        return self.reason < FAILURE

    @property
    def hopeless(self) -> bool:
        """The broker will refuse it again however often we ask."""
        return self.reason in NEVER

    @property
    def too_large(self) -> bool:
        """For this broker, as it is now."""
        return self.reason == TOO_LARGE


Event = Connected | Disconnected | Answered
