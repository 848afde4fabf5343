"""What a vault's process did and how it is, for the one who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from doorsill.consent.gate import State
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenEvent, TokenIn
from doorsill.vault.vault import Vault


@dataclass(slots=True)
class VaultStatus:
    """What this process did; for whoever asks."""

    sealed: int = 0
    turned_away: int = 0  # crops that came while it was shut
    sessions: int = 0
    last_reason: str = ""
    last_card: str = ""  # why the last card was not accepted
    shut_after_us: list[int] = field(default_factory=list)  # token seen gone to shut


NO_READER = {Reason.READER_GONE: "missing", Reason.DAEMON_GONE: "no_service"}


def reader_of(event: TokenEvent | None) -> tuple[str, str]:
    """How the reader is, in a word of the wire, and its name or why there is none."""
    if event is None:
        return "unknown", ""
    if isinstance(event, TokenIn):
        return "ready", event.reader
    return NO_READER.get(event.reason, "ready"), event.readers or event.why


def describe_status(
    state: State, vault: Vault, lamp: bool | None, tally: VaultStatus
) -> dict[str, Any]:
    """The answer to "status": no face, no key, no name of a person."""
    session = vault.session
    return {
        "state": state.value,
        "verified_blank": vault.verified_blank,
        "without_power": vault.silent,
        "lamp": lamp,
        "sealed": len(session.records) if session else 0,
        "bytes": session.used if session else 0,
        "purpose": session.interval.purpose if session else None,
        "card": session.interval.card if session else None,
        "sessions": tally.sessions,
        "sealed_total": tally.sealed,
        "turned_away": tally.turned_away,
        "shut_after_us": tally.shut_after_us[-1:],
        "last_reason": tally.last_reason,
        "last_card": tally.last_card,
        "certificate": vault.last.name if vault.last else None,
    }
