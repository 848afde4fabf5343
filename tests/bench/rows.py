"""One line of the bench's table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, ours beside the peers', what was wanted, whether it is so."""

    what: str
    ours: str
    peers: dict[str, str] = field(default_factory=dict)
    target: str = ""
    ok: bool | None = None  # None: shown, not judged
