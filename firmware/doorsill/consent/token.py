"""What a hardware token of any maker must be able to do.

``drivers/token/piv.py`` (any PIV card or key in a PC/SC reader) and
``drivers/token/fido.py`` (any FIDO2 key) are tokens. A key switch
(``drivers/gpio/line.py``) is no token: it has no secret, so it is only one more
condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.reasons import Reason
from doorsill.errors import UntrustedError


class TokenError(UntrustedError):
    """The token is gone or fails; ``reason`` says how. It is never consent."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TokenIn:
    """Exactly one token is there."""

    reader: str
    at: float  # monotonic s, when it was seen


@dataclass(frozen=True, slots=True)
class TokenOut:
    """There is no token, or more than one."""

    reason: Reason
    at: float  # monotonic s, when it was seen
    why: str = ""  # a sentence, if the reason alone does not say what to do
    readers: str = ""  # names of the readers that are empty


TokenEvent = TokenIn | TokenOut


class Token(Protocol):
    """One token at a time. ``events`` runs in a thread of its own; the rest in another.

    Every method but ``events`` and ``close`` raises TokenError; ``hangs`` is asked in
    any thread.
    """

    def events(self) -> Iterator[TokenEvent]:
        """Block until something changes, again and again; end after ``close``."""

    def certificate(self) -> bytes:
        """The consent certificate in DER, not verified."""

    def sealing_certificate(self) -> bytes:
        """The 9D certificate in DER, not verified; empty if the token has none."""

    def sign(self, challenge: Challenge) -> Answer:
        """The token's answer; a FIDO2 key waits for a touch if it is asked for one."""

    def unwrap(self, peer_public: bytes, pin: str | None = None) -> bytes:
        """The 32-byte secret shared with ``peer_public`` (P-256 point, 65 bytes)."""

    @property
    def hangs(self) -> bool:
        """Whether what speaks with tokens must be started again by somebody else."""

    def close(self) -> None:
        """Let go of reader and token; ``events`` ends."""


class Lamp(Protocol):
    """Lit exactly while faces may be stored; a lamp that fails means blank."""

    def show(self, lit: bool) -> None:
        """Light it or put it out; UntrustedError if that failed."""

    def close(self) -> None:
        """Put it out for good; UntrustedError if that failed."""


class Pulse(Protocol):
    """The pin of the interlock board that must move, or its memory loses its power."""

    def pulse(self) -> None:
        """Move it once; UntrustedError if it is gone."""

    def close(self) -> None:
        """Move it no more; UntrustedError if it is gone."""


class Switch(Protocol):
    """A key switch: one condition more, never a consent of its own."""

    def levels(self) -> Iterator[bool]:
        """The level now, then each change, until ``close``; a fault is off."""

    def close(self) -> None:
        """End the levels."""
