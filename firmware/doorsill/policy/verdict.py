"""What became of the policy that came by air last: one line that others may read.

    <in_force or a word of REFUSALS> <SHA-256 of its bytes> <UTC s>

The policy process writes it; the uplink reports it, and asks again where it is missing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.reading import read_if_there
from doorsill.errors import ConfigError
from doorsill.wire.messages import REFUSALS

IN_FORCE = "in_force"
LONGEST = 128  # bytes of a verdict
_WORDS = "|".join((IN_FORCE, *REFUSALS))
_FORM = re.compile(rf"({_WORDS}) ([0-9a-f]{{64}}) (0|[1-9][0-9]{{0,9}})\n")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, on which bytes, and when."""

    word: str  # IN_FORCE or one of REFUSALS
    digest: str  # SHA-256 of the bytes, hexadecimal
    utc: int  # s

    @property
    def refused(self) -> bool:
        """Whether these bytes are not in force."""
        return self.word != IN_FORCE

    def spell(self) -> bytes:
        """The one line."""
        return f"{self.word} {self.digest} {self.utc}\n".encode()


def digest_of(document: bytes) -> str:
    """The name of what came by air: SHA-256, hexadecimal."""
    return hashlib.sha256(document).hexdigest()


def read_verdict(path: Path) -> Verdict | None:
    """The verdict at ``path``; None if there is none that can be read."""
    try:
        data = read_if_there(path, LONGEST)
    except ConfigError:
        return None
    found = _FORM.fullmatch((data or b"").decode("ascii", "replace"))
    return None if found is None else Verdict(found[1], found[2], int(found[3]))
