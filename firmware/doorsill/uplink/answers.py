"""What came from the broker, as events for the uplink's loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from doorsill.uplink.limits import Limits
from doorsill.uplink.reasons import FAILURE, NEVER, TOO_LARGE, words


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted our connection; ``limits`` is what it accepts."""

    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or could not be made."""

    reason: str
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker's PUBACK for the message sent with ``tag``.

    Without a tag there is an event only for a refusal, because no caller waits for
    others. A message over a limit that the broker has stated is answered at once, and
    never sent.
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
        """Whether the broker has the message."""
        return self.reason < FAILURE

    @property
    def hopeless(self) -> bool:
        """Whether the broker will refuse the message every time."""
        return self.reason in NEVER

    @property
    def too_large(self) -> bool:
        """Whether the message is too large for this broker, as it is set now."""
        return self.reason == TOO_LARGE


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the office published for us: bytes that nobody has looked at yet."""

    document: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """The broker does not let us read our one topic."""

    reason: int

    @property
    def words(self) -> str:
        """For a person: why, and what to do."""
        return words(self.reason)


Event = Connected | Disconnected | Answered | Arrived | Unread
