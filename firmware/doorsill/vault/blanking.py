"""Blank a medium and read all of it back: what was done, and what was then found.

Nothing here raises for a medium at fault: the certificate has to say so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from doorsill.certificates import claims
from doorsill.drivers.media.medium import Medium, NoAnswer, read_all
from doorsill.errors import DoorsillError


@dataclass(frozen=True, slots=True)
class Blanked:
    """What came of it."""

    methods: tuple[str, ...]  # of claims.METHODS, what was done to the medium
    read_back_sha256: str
    blank: bool  # whether every byte was nought
    fault: DoorsillError | None = None

    @property
    def silent(self) -> bool:
        """Whether the medium was without power: nothing done, nothing read."""
        return claims.NO_ANSWER in self.methods


def blank_and_read_back(medium: Medium, seed: bytes) -> Blanked:
    """Nought in every byte of ``medium``; ``seed`` begins the hash of the read-back."""
    methods: tuple[str, ...] = ()
    try:
        methods = medium.blank()
        return Blanked(methods, *read_all(medium, seed))
    except NoAnswer:
        nothing = claims.blank_digest(seed, 0)
        return Blanked((claims.NO_ANSWER,), nothing, False)
    except DoorsillError as error:
        return Blanked(methods, hashlib.sha256().hexdigest(), False, error)
