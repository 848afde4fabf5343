"""What time it is at least, from what this device has signed and was given.

A clock without a battery starts in the past, and one that asks a network can be told
anything. A card that expired would open again; so below this floor the vault is blank.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from doorsill.consent.gate import CLOCK_JUMP_S
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError
from doorsill.device.clock import floor_of, when_written
from doorsill.device.version import built_at


def floor_s(signed_s: float, policy: Path, authority: x509.Certificate) -> float:
    """UTC s that a clock which is right is past.

    ``signed_s`` is the newest time in the vault's own signed chain; ``policy`` the file
    that was put in force; ``authority`` the consent CA that it pins, older than any
    card. The last is the commit that this firmware was built from.
    """
    made = authority.not_valid_before_utc.timestamp()
    return max(signed_s, built_at(), floor_of([made, *when_written(policy)]))


def require_clock(utc: float, floor: float) -> None:
    """TokenError where the clock is below the floor: no card can be judged then."""
    if utc >= floor - CLOCK_JUMP_S:
        return
    now, known = (datetime.fromtimestamp(each, UTC) for each in (utc, floor))
    raise TokenError(
        Reason.CLOCK,
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, and this device has known "
        f"{known:%Y-%m-%d %H:%M}; the vault stays blank until the clock is right",
    )
