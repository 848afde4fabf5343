"""What is open now: the lease, its key, and where each sealed crop lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from doorsill.certificates import claims
from doorsill.consent.events import Lease
from doorsill.vault.chain import LeaseInterval
from doorsill.vault.sealing import DataKey


@dataclass(frozen=True, slots=True)
class Record:
    """Where one sealed crop lies; says nothing of what is in it."""

    offset: int
    size: int
    width: int
    height: int
    utc_ms: int

    @property
    def context(self) -> bytes:
        """What the ciphertext is bound to besides the key."""
        return f"{self.offset}|{self.width}x{self.height}|{self.utc_ms}".encode()


@dataclass(slots=True)
class Session:
    """What is open now."""

    lease: Lease
    interval: LeaseInterval
    key: DataKey = field(repr=False)
    records: list[Record] = field(default_factory=list)
    used: int = 0  # bytes on the medium
    exported: int = 0  # crops that a person took out, sealed to the card
    severed_for: str | None = None  # why the key was destroyed before it was closed

    def end_interval(self, reason: str, utc_ms: int) -> LeaseInterval:
        """What the certificate says of it, closed for ``reason`` at ``utc_ms``."""
        return replace(
            self.interval,
            closed_ms=max(self.interval.opened_ms, utc_ms),
            reason=reason,
            sealed=len(self.records),
            sealed_bytes=self.used,
            exported=self.exported,
        )


def begin_interval(lease: Lease, utc_ms: int) -> LeaseInterval:
    """What is said of a session that opens at ``utc_ms``, should the vault then die."""
    return LeaseInterval(
        opened_ms=utc_ms,
        closed_ms=utc_ms,
        reason=claims.DIED,
        card=lease.card.fingerprint,
        purpose=lease.card.purpose,
        sealed=0,
        sealed_bytes=0,
        exported=0,
    )
