"""Sites and cameras: added, approved, revoked, replaced, moved, retired.

expected ──► active ──► retired         a voucher is out · has a certificate · gone
               │  ▲
               ▼  │ replace, move: another voucher, the old certificate is revoked
             revoked
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from doorsill.documents.voucher import new_secret, new_serial, secret_hash
from doorsill.errors import ConfigError
from doorsill_fleet.ca.authority import require_name
from doorsill_fleet.registry.tables import (
    ACTIVE,
    EXPECTED,
    RETIRED,
    REVOKED,
    CertificateRow,
    Device,
    Site,
    VoucherRow,
)

VOUCHER_DAYS = 30  # validity of a voucher where nothing else is said
MOST_AT_ONCE = 500  # devices that one call adds


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A camera and the secret of its voucher, which is kept nowhere."""

    serial: str
    site: str
    device: str
    expires: datetime
    secret: str = field(repr=False)


def add_site(session: Session, name: str, now: datetime, *, approves: bool) -> None:
    """Add a shop; ConfigError if there is one of this name."""
    if session.get(Site, require_name(name)) is not None:
        raise ConfigError(f"there is a site {name} already")
    session.add(Site(name=name, approves=approves, added=int(now.timestamp())))


def add_devices(
    session: Session, site: str, count: int, now: datetime, valid: timedelta
) -> list[HandedOut]:
    """Add ``count`` cameras to ``site``, cam-01 and so on, with a voucher each."""
    require_site(session, site)
    taken = set(session.scalars(select(Device.name).where(Device.site == site)))
    free = (name for n in range(1, 10000) if (name := f"cam-{n:02}") not in taken)
    made = []
    for _, name in zip(range(count), free, strict=False):
        serial = new_serial(secrets.token_bytes(5))
        added = int(now.timestamp())
        session.add(
            Device(serial=serial, site=site, name=name, state=EXPECTED, added=added)
        )
        session.flush()
        made.append(hand_out(session, require_device(session, serial), now, valid))
    return made


def hand_out(
    session: Session, device: Device, now: datetime, valid: timedelta
) -> HandedOut:
    """Another voucher for ``device``; those before it are good no more."""
    session.execute(delete(VoucherRow).where(VoucherRow.serial == device.serial))
    secret, expires = new_secret(secrets.token_bytes(10)), now + valid
    session.add(
        VoucherRow(
            secret_hash=secret_hash(secret),
            serial=device.serial,
            expires=int(expires.timestamp()),
        )
    )
    return HandedOut(device.serial, device.site, device.name, expires, secret)


def approve(session: Session, serial: str) -> str:
    """Approve the key that ``serial`` asked with; returns the key's hash."""
    device = require_device(session, serial)
    if device.asked_key is None:
        raise ConfigError(f"{serial} has not asked yet: run `doorsill enrol` on it")
    if device.approved_key == device.asked_key:
        raise ConfigError(f"{serial} is approved already")
    device.approved_key = device.asked_key
    return device.asked_key


def revoke(session: Session, serial: str, now: datetime, why: str) -> int:
    """Take all certificates and vouchers of ``serial`` back; how many certificates."""
    device = require_device(session, serial)
    if device.state == RETIRED:
        raise ConfigError(f"{serial} is retired; it has no certificate any more")
    taken = _take_back(session, device, now, why)
    device.state = REVOKED
    return taken


def replace(
    session: Session,
    serial: str,
    now: datetime,
    valid: timedelta,
    why: str = "replaced",
) -> HandedOut:
    """Another board or card of the same name: certificates end, a new voucher."""
    device = require_device(session, serial)
    _require_in_use(device)
    _take_back(session, device, now, why)
    device.state = EXPECTED
    return hand_out(session, device, now, valid)


def move(
    session: Session, serial: str, site: str, now: datetime, valid: timedelta
) -> HandedOut:
    """To another shop, under a name that is free there; as :func:`replace` besides."""
    device = require_device(session, serial)
    _require_in_use(device)
    require_site(session, site)
    if device.site == site:
        raise ConfigError(f"{serial} is in {site} already")
    taken = set(session.scalars(select(Device.name).where(Device.site == site)))
    names = (f"cam-{n:02}" for n in range(1, 10000))
    name = device.name if device.name not in taken else None
    device.name = name or next(each for each in names if each not in taken)
    device.site = site
    return replace(session, serial, now, valid, f"moved to {site}")


def retire(session: Session, serial: str, now: datetime) -> list[str]:
    """Its end: all its certificates are void; returns their fingerprints."""
    device = require_device(session, serial)
    _require_in_use(device)
    _take_back(session, device, now, "retired")
    device.state = RETIRED
    return [each.fingerprint for each in certificates(session, serial)]


def require_site(session: Session, name: str) -> Site:
    """The site ``name``, or ConfigError."""
    found = session.get(Site, require_name(name))
    if found is None:
        raise ConfigError(
            f"there is no site {name}; add it: doorsill-fleet site add {name}"
        )
    return found


def require_device(session: Session, serial: str) -> Device:
    """The camera with this serial number, or ConfigError."""
    found = session.get(Device, serial)
    if found is None:
        raise ConfigError(
            f"there is no device {serial[:40]}; doorsill-fleet devices lists them"
        )
    return found


def devices(session: Session, site: str | None = None) -> Sequence[Device]:
    """All cameras, or those of ``site``, in order."""
    wanted = select(Device).order_by(Device.site, Device.name)
    if site is not None:
        wanted = wanted.where(Device.site == require_site(session, site).name)
    return session.scalars(wanted).all()


def certificates(session: Session, serial: str) -> Sequence[CertificateRow]:
    """All certificates of ``serial``, the newest first."""
    wanted = select(CertificateRow).where(CertificateRow.serial == serial)
    return session.scalars(wanted.order_by(CertificateRow.issued.desc())).all()


def revoked(session: Session) -> Sequence[CertificateRow]:
    """All certificates that were taken back."""
    wanted = select(CertificateRow).where(CertificateRow.revoked.is_not(None))
    return session.scalars(wanted.order_by(CertificateRow.revoked)).all()


def _require_in_use(device: Device) -> None:
    if device.state == RETIRED:
        raise ConfigError(f"{device.serial} is retired; add another device instead")


def _take_back(session: Session, device: Device, now: datetime, why: str) -> int:
    session.execute(delete(VoucherRow).where(VoucherRow.serial == device.serial))
    device.asked_key = device.approved_key = None
    good = [each for each in certificates(session, device.serial) if not each.revoked]
    for each in good:
        each.revoked, each.why = int(now.timestamp()), why
    return len(good)


def is_in_service(device: Device) -> bool:
    """Whether the broker's access list names it: it has a certificate or will."""
    return device.state in (EXPECTED, ACTIVE)
