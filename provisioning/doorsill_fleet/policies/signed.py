"""The signed policies of the fleet, in the register: a version is taken once.

Who signs checks and signs first, and takes the version last, under the register's lock.
Of two who sign at the same time the second one is refused, and nothing of it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from doorsill.documents import canonical
from doorsill.documents.canonical import PublicKey, SignBytes
from doorsill.errors import ConfigError, UntrustedError
from doorsill.policy.acceptance import verify
from doorsill.policy.document import Policy, parse
from doorsill_fleet.policies.draft import Body, Draft
from doorsill_fleet.registry.devices import devices, is_in_service
from doorsill_fleet.registry.tables import PolicyRow

HASH_DIGITS = 32  # of a hash that a device reports: its first half


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed document for one camera."""

    device: str
    policy: Policy
    document: bytes


def members_of(session: Session, site: str) -> list[str]:
    """The names of the site's cameras that are in service, in order."""
    return [each.name for each in devices(session, site) if is_in_service(each)]


def sign(
    bodies: Mapping[str, Body], sign_bytes: SignBytes, key: PublicKey
) -> list[Signed]:
    """Sign each body; UntrustedError unless the controller's ``key`` signs."""
    made = []
    for name, body in bodies.items():
        found = canonical.seal_by(body, sign_bytes)
        try:
            made.append(Signed(name, verify(found, key), found))
        except UntrustedError:
            raise UntrustedError(
                "this key is not the controller's of this fleet; cameras would refuse "
                "what it signs"
            ) from None
    return made


def keep(session: Session, site: str, made: Sequence[Signed], now: datetime) -> None:
    """Take the version of ``made``; ConfigError if it is taken already."""
    version = made[0].policy.version
    last = last_version(session, site)
    if version <= last:
        when = session.scalar(
            select(func.max(PolicyRow.signed)).where(PolicyRow.site == site)
        )
        raise ConfigError(
            f"version {last} of {site} was signed already, on {_minute(when or 0)}: "
            f"nothing was kept of this one; look at it (doorsill-fleet policy diff "
            f"{site}) and begin the next: doorsill-fleet policy edit {site}"
        )
    for each in made:
        session.add(
            PolicyRow(
                site=site,
                device=each.device,
                version=version,
                digest=each.policy.digest,
                received=hashlib.sha256(each.document).hexdigest(),
                document=each.document.decode(),
                signed=int(now.timestamp()),
            )
        )


def last_version(session: Session, site: str) -> int:
    """The highest version that was ever signed for ``site``; 0: none was."""
    wanted = select(func.max(PolicyRow.version)).where(PolicyRow.site == site)
    return session.scalar(wanted) or 0


def newest(session: Session, site: str, device: str) -> PolicyRow | None:
    """What was last signed for one camera."""
    wanted = (
        select(PolicyRow)
        .where(PolicyRow.site == site, PolicyRow.device == device)
        .order_by(PolicyRow.version.desc())
        .limit(1)
    )
    return session.scalars(wanted).first()


def of_hash(session: Session, site: str, device: str, half: str) -> PolicyRow | None:
    """What has this hash, of its content or its bytes, among what was ever signed."""
    wanted = select(PolicyRow).where(PolicyRow.site == site, PolicyRow.device == device)
    for row in session.scalars(wanted):
        if half in (row.digest[:HASH_DIGITS], row.received[:HASH_DIGITS]):
            return row
    return None


def policy_of(row: PolicyRow) -> Policy:
    """What it says; it was verified when it was kept."""
    return parse(canonical.split(row.document.encode())[0])


def changed(session: Session, site: str, draft: Draft) -> Iterator[str]:
    """The cameras for which ``draft`` says something else than was last signed."""
    for name, body in draft.bodies.items():
        row = newest(session, site, name)
        before = canonical.split(row.document.encode())[0] if row else {}
        if {**before, "version": 0} != {**body, "version": 0}:
            yield name


def _minute(utc: int) -> str:
    return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d %H:%M} UTC"
