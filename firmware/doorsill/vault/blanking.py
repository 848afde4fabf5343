"""Blank a medium and read all of it back: what was done, and what was then found.

Nothing here raises for a medium that fails: the certificate has to say that it failed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from doorsill.certificates import claims
from doorsill.drivers.media.medium import Medium, NoAnswer, read_all
from doorsill.errors import DoorsillError


@dataclass(frozen=True, slots=True)
class Blanked:
    """What was done to a medium, and what was read back."""

    methods: tuple[str, ...]  # what was done to the medium, of claims.METHODS
    read_back_sha256: str  # hexadecimal, over the seed and every byte read
    blank: bool  # whether every byte read back was 0
    fault: DoorsillError | None = None  # why the medium failed

    @property
    def silent(self) -> bool:
        """Whether the medium had no power, so that nothing was done or read."""
        return claims.NO_ANSWER in self.methods


def blank_and_read_back(medium: Medium, seed: bytes) -> Blanked:
    """Write 0 to every byte of ``medium``, and read all of it back.

    ``seed`` is what the hash of the read-back begins with.
    """
    methods: tuple[str, ...] = ()
    try:
        methods = medium.blank()
        return Blanked(methods, *read_all(medium, seed))
    except NoAnswer:
        nothing = claims.blank_digest(seed, 0)
        return Blanked((claims.NO_ANSWER,), nothing, False)
    except DoorsillError as error:
        return Blanked(methods, hashlib.sha256().hexdigest(), False, error)
