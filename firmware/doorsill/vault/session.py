"""What is open now: the lease, its key, and where each sealed crop lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from doorsill.certificates import claims
from doorsill.consent.events import Lease
from doorsill.drivers.media.medium import Medium
from doorsill.vault.chain import LeaseInterval
from doorsill.vault.sealing import DataKey

CHECKED_MOST = 64  # records read back in one check, so that the card is asked in time


@dataclass(frozen=True, slots=True)
class Record:
    """Where one sealed crop lies; it says nothing of what the crop shows."""

    offset: int  # bytes from the beginning of the medium
    size: int  # bytes of nonce, ciphertext and tag
    width: int  # pixels
    height: int  # pixels
    utc_ms: int  # when it was sealed, UTC in ms

    @property
    def context(self) -> bytes:
        """What the ciphertext is bound to, besides the key."""
        return f"{self.offset}|{self.width}x{self.height}|{self.utc_ms}".encode()


@dataclass(slots=True)
class Session:
    """What is open now."""

    lease: Lease
    interval: LeaseInterval
    key: DataKey = field(repr=False)
    records: list[Record] = field(default_factory=list)
    used: int = 0  # bytes on the medium that hold records
    exported: int = 0  # crops that a person took out, sealed to the card
    severed_for: str | None = None  # why the key was destroyed before the end

    def is_whole(self, medium: Medium) -> bool:
        """Whether the newest records lie on ``medium`` as they were sealed.

        Raises UntrustedError if the medium cannot be read.
        """
        return all(
            self.key.holds(medium.read_back(each.offset, each.size), each.context)
            for each in self.records[-CHECKED_MOST:]
        )

    def end_interval(self, reason: str, utc_ms: int) -> LeaseInterval:
        """What the certificate says of this session, closed at ``utc_ms``."""
        return replace(
            self.interval,
            closed_ms=max(self.interval.opened_ms, utc_ms),
            reason=reason,
            sealed=len(self.records),
            sealed_bytes=self.used,
            exported=self.exported,
        )


def begin_interval(lease: Lease, utc_ms: int) -> LeaseInterval:
    """What is certified of a session opened at ``utc_ms`` if the vault dies."""
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
