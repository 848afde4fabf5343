"""Where sealed crops rest: one Protocol, chosen by name, no silent fallback.

A medium is handed ciphertext only. ``append`` reads back what it wrote; ``blank``
overwrites every byte that software can address; ``read_all`` reads every one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from doorsill.certificates.claims import BLOCK_BYTES, LARGEST_MEDIUM
from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.locked import is_blank

LEAST_BYTES = 64 << 10  # of a medium
READ_BYTES = 16 * BLOCK_BYTES  # that are read back at once


class NoAnswer(UntrustedError):
    """A volatile medium is silent: its power is cut or was cut, so all is lost."""


class Medium(Protocol):
    """What the vault needs of a medium; errors are UntrustedError: blank, then stop.

    A medium whose power may be cut raises NoAnswer while it is cut, and may be opened
    without power.
    """

    facts: MediumFacts

    def append(self, record: bytes) -> int:
        """Write ``record`` behind what is there and read it back; gives its offset."""

    def read_back(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on, from the medium and not from a cache."""

    def blank(self) -> tuple[str, ...]:
        """Write 0 to every byte; gives what was done, of claims.METHODS."""

    def close(self) -> None:
        """Let go of it."""


def read_all(medium: Medium, seed: bytes) -> tuple[str, bool]:
    """Read every byte back: SHA-256 over ``seed`` and them, and whether all are 0.

    Raises UntrustedError where the medium gives fewer.
    """
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
    """``size`` (bytes) if a medium can have it; raises ConfigError otherwise."""
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
    """``used``, where the next record goes; raises UntrustedError if it is full."""
    if used + size > facts.size:
        raise UntrustedError(
            f"the {facts.kind} medium of {facts.size} bytes is full: "
            f"{used} used, {size} more wanted"
        )
    return used


def require_same(found: bytes, written: bytes, facts: MediumFacts) -> None:
    """Raise UntrustedError where a medium gives back what was not written."""
    if found != written:
        raise UntrustedError(
            f"the {facts.kind} medium gave back what had not been written"
        )


@dataclass(frozen=True, slots=True)
class MediumFacts:
    """Which medium, and which of its bytes; all of them, from 0 to ``size``."""

    kind: str  # one of claims.MEDIA
    identity: str  # its name, in words for a person
    size: int  # bytes
