"""What can happen to the gate of the vault, and what the gate can ask for. Values only.

Inserted Answered Lost Rebound Switched Tick ─► gate ─► Ask Opened Closed Refused
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.consent.challenge import Answer, Binding, Challenge
from doorsill.consent.reasons import Reason
from doorsill.consent.trust import ConsentCertificate


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both clocks: monotonic for intervals, UTC for dates."""

    monotonic: float  # s
    utc: float  # s


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to seal faces, for as long as the gate stays open."""

    card: ConsentCertificate
    opened: Moment
    expires: float  # UTC s


@dataclass(frozen=True, slots=True)
class Inserted:
    """A card whose certificate was verified is in the reader."""

    card: ConsentCertificate
    policy: str  # SHA-256 of the policy by which it was verified, hexadecimal


@dataclass(frozen=True, slots=True)
class Answered:
    """The card answered ``digest``."""

    digest: bytes
    answer: Answer


@dataclass(frozen=True, slots=True)
class Lost:
    """Consent ended from outside: by card, reader, daemon, person or medium."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Rebound:
    """Another policy is in force, or this one says something else."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class Switched:
    """The key switch was turned; alone it never opens anything."""

    on: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


Event = Inserted | Answered | Lost | Rebound | Switched | Tick


@dataclass(frozen=True, slots=True)
class Ask:
    """Put this question to the card."""

    challenge: Challenge


@dataclass(frozen=True, slots=True)
class Opened:
    """Make a new key; crops may be sealed from now on."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Closed:
    """Destroy the key and blank the medium, now."""

    lease: Lease
    reason: Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate was not open, and this card as it is does not open it."""

    card: ConsentCertificate
    reason: Reason


Action = Ask | Opened | Closed | Refused
