"""What goes wrong on the way, and when. Pure."""

from __future__ import annotations

from replay.plan import Door

LINE_DOWN = 4  # every so many cameras loses its line to the broker for a while
# Shares of the windows that are kept when it happens.
WORKER_KILLED, SHOP_KILLED, BROKER_RESTARTED = 0.15, 0.35, 0.55
REVOKED_AT = 0.7  # share of the days after which a camera is stolen


def is_away(door: Door, day: int, of: int) -> bool:
    """Whether this camera's line is down on day number ``day`` of ``of`` open days.

    Each such outage is over on the last day.
    """
    if door.number % LINE_DOWN != 1 or of < 2:
        return False
    first = door.number % (of - 1)
    return first <= day < min(first + max(1, of // 5), of - 1)


def stolen(found: list[Door]) -> Door | None:
    """The camera that is stolen one night, and replaced; None of a single one."""
    return found[-1] if len(found) > 1 else None


def stolen_after(of: int) -> int:
    """The number of the first day of the board that replaces it."""
    return int(REVOKED_AT * of)
