"""What time it is at least, from what this device has signed and was given.

A clock without a battery starts in the past, and a clock set by a network can be set to
any time. Then an expired card would open the vault again, so the vault stays blank
while the clock is before this floor.
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
    """The earliest UTC in s that a right clock can show now.

    ``signed_s`` is the newest time in the vault's own signed chain, ``policy`` the file
    of the policy in force, ``authority`` the consent CA that it pins, which is older
    than any card. The time of the commit that this firmware was built from counts too.
    """
    made = authority.not_valid_before_utc.timestamp()
    return max(signed_s, built_at(), floor_of([made, *when_written(policy)]))


def require_clock(utc: float, floor: float) -> None:
    """TokenError if the clock is before the floor: no card can be judged then."""
    if utc >= floor - CLOCK_JUMP_S:
        return
    now, known = (datetime.fromtimestamp(each, UTC) for each in (utc, floor))
    raise TokenError(
        Reason.CLOCK,
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, and this device has known "
        f"{known:%Y-%m-%d %H:%M}; the vault stays blank until the clock is right",
    )
