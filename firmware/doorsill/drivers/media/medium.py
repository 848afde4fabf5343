"""Where sealed crops rest: one Protocol, chosen by name, no silent fallback.

A medium is handed ciphertext only. ``append`` reads back what it wrote; ``blank``
overwrites every byte that software can address; ``read_all`` looks at every one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from doorsill.certificates.claims import BLOCK_BYTES, LARGEST_MEDIUM
from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.locked import is_blank

LEAST_BYTES = 64 << 10
READ_BYTES = 16 * BLOCK_BYTES


class NoAnswer(UntrustedError):
    """A volatile medium is silent: its power is cut, or was, and then all is lost."""


class Medium(Protocol):
    """What the vault needs of a medium; errors are UntrustedError: blank, then stop.

    One whose power may be cut says NoAnswer while it is, and may be opened without.
    """

    facts: MediumFacts

    def append(self, record: bytes) -> int:
        """Write behind what is there, read it back; returns its offset."""

    def read_back(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on, from the medium and not from a cache."""

    def blank(self) -> tuple[str, ...]:
        """Nought in every byte; returns what was done, of claims.METHODS."""

    def close(self) -> None:
        """Let go of it."""


def read_all(medium: Medium, seed: bytes) -> tuple[str, bool]:
    """Read every byte back: SHA-256 over ``seed`` and all of it, and whether nought."""
    found, blank = hashlib.sha256(seed), True
    for offset in range(0, medium.facts.size, READ_BYTES):
        wanted = min(READ_BYTES, medium.facts.size - offset)
        data = medium.read_back(offset, wanted)
        if len(data) != wanted:
            raise UntrustedError(
                f"the {medium.facts.kind} medium gave {len(data)} bytes at {offset}, "
                f"not {wanted}"
            )
        found.update(data)
        blank = blank and is_blank(data)
    return found.hexdigest(), blank


def require_size(size: int, name: str) -> int:
    """``size`` if a medium can be so large, else ConfigError."""
    if size < LEAST_BYTES:
        raise ConfigError(
            f"the medium {name} has {size} bytes; the minimum is {LEAST_BYTES}"
        )
    if size > LARGEST_MEDIUM:
        raise ConfigError(
            f"the medium {name} has {size} bytes; the limit is {LARGEST_MEDIUM}"
        )
    return size


def require_room(facts: MediumFacts, used: int, size: int) -> int:
    """``used``, where the next record goes, or UntrustedError where it is full."""
    if used + size > facts.size:
        raise UntrustedError(
            f"the {facts.kind} medium of {facts.size} bytes is full: "
            f"{used} used, {size} more wanted"
        )
    return used


def require_same(found: bytes, written: bytes, facts: MediumFacts) -> None:
    """UntrustedError where a medium gives back what was not written."""
    if found != written:
        raise UntrustedError(
            f"the {facts.kind} medium gave back what had not been written"
        )


@dataclass(frozen=True, slots=True)
class MediumFacts:
    """Which medium, and which of its bytes; all of them, from 0 to ``size``."""

    kind: str  # one of claims.MEDIA
    identity: str
    size: int
