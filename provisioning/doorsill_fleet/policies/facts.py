"""What the register and the store know of each camera's policy."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorsill.errors import UntrustedError
from doorsill.wire.codec import decode
from doorsill.wire.messages import Health
from doorsill_fleet.policies.signed import HASH_DIGITS, members_of, newest, of_hash
from doorsill_fleet.policies.standing import Facts
from doorsill_fleet.registry.tables import PolicyRow
from doorsill_fleet.store.schema import Latest, LineWindow, ZoneWindow


def facts(session: Session, site: str) -> list[Facts]:
    """Of each camera of ``site`` that is in service, in order."""
    return [_facts(session, site, name) for name in members_of(session, site)]


def _facts(session: Session, site: str, device: str) -> Facts:
    row, health = newest(session, site, device), _health(session, site, device)
    reported = _reported(session, site, device, health)
    obeyed = of_hash(session, site, device, reported) if reported else None
    refused = health.policy_refused if health else None
    other = of_hash(session, site, device, refused) if refused else None
    return Facts(
        device=device,
        signed=row.version if row else 0,
        pushed=_pushed(session, site, device),
        reported=reported,
        in_force=obeyed.version if obeyed else 0,
        refused=other.version if other else 0,
        refusal=health.policy_why if health else "none",
    )


def _reported(session: Session, site: str, device: str, health: Health | None) -> str:
    """The hash that it said last: in its newest window, its health, or to a push."""
    said = [(health.time, health.policy)] if health else []
    for table in (LineWindow, ZoneWindow):
        wanted = (
            select(table.end, table.policy)
            .where(table.site == site, table.device == device)
            .order_by(table.end.desc())
            .limit(1)
        )
        said += [(row.end, row.policy) for row in session.execute(wanted)]
    heard = select(PolicyRow.in_force, PolicyRow.digest).where(
        PolicyRow.site == site,
        PolicyRow.device == device,
        PolicyRow.in_force.is_not(None),
    )
    said += [(at or 0, digest[:HASH_DIGITS]) for at, digest in session.execute(heard)]
    return max(said)[1] if said else ""


def _health(session: Session, site: str, device: str) -> Health | None:
    found = session.get(Latest, {"site": site, "device": device, "stream": "health"})
    if found is None:
        return None
    try:
        message = decode("health", found.payload.encode())
    except UntrustedError:
        return None  # of an older doorsill
    return message if isinstance(message, Health) else None


def _pushed(session: Session, site: str, device: str) -> int:
    wanted = (
        select(PolicyRow.version)
        .where(
            PolicyRow.site == site,
            PolicyRow.device == device,
            PolicyRow.pushed.is_not(None),
        )
        .order_by(PolicyRow.version.desc())
        .limit(1)
    )
    return session.scalar(wanted) or 0
