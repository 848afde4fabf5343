"""What the vault's process has done and how it is: the answer to a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from doorsill.consent.gate import State
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenEvent, TokenIn
from doorsill.vault.vault import Vault


@dataclass(slots=True)
class VaultStatus:
    """What this process has done since its start."""

    sealed: int = 0  # crops
    turned_away: int = 0  # crops that came while the vault was shut
    sessions: int = 0  # that were opened
    last_reason: str = ""  # why the last session closed, one of Reason
    last_card: str = ""  # why the last card was not accepted, in words
    # From the moment a token was seen to be gone until its key was destroyed, in us.
    shut_after_us: list[int] = field(default_factory=list)


NO_READER = {Reason.READER_GONE: "missing", Reason.DAEMON_GONE: "no_service"}


def reader_of(event: TokenEvent | None, hangs: bool) -> tuple[str, str]:
    """The reader's state, one of wire.messages.READERS, and its name or why not."""
    if hangs:
        return "no_service", "pcscd hangs: it gives no answer"
    if event is None:
        return "unknown", ""
    if isinstance(event, TokenIn):
        return "ready", event.reader
    return NO_READER.get(event.reason, "ready"), event.readers or event.why


def describe_status(
    state: State, vault: Vault, lamp: bool | None, tally: VaultStatus
) -> dict[str, Any]:
    """The answer to "status"; it holds no face, no key and no name of a person."""
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
