"""The broker's files that follow from the register: who has rights, who is revoked."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from sqlalchemy import select
from sqlalchemy.orm import Session

from doorsill.documents.durable import put
from doorsill_fleet.broker.access import whole_list
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.office.chain import READERS, Chain
from doorsill_fleet.registry.devices import devices, is_in_service, revoked
from doorsill_fleet.registry.tables import SiteBroker


def access(session: Session) -> str:
    """The access list: each camera that is in service, the readers and the office."""
    sites: dict[str, list[str]] = {}
    for each in devices(session):
        if is_in_service(each):
            sites.setdefault(each.site, []).append(each.name)
    bridged = set(session.scalars(select(SiteBroker.site)))
    return whole_list(sites, READERS, bridged)


def write_access(chain: Chain, session: Session) -> None:
    """Write the access list."""
    put(chain.broker / "access", access(session).encode())


def write_revoked(
    chain: Chain, session: Session, authority: Authority, now: datetime
) -> None:
    """The revocation list. It is carried to the broker, and good as long as the CA.

    A list that ends would close the broker to everybody on the day when nobody came.
    """
    for each in revoked(session):
        authority.revoke(x509.load_pem_x509_certificate(each.pem.encode()), now)
    valid = authority.certificate.not_valid_after_utc - now
    put(chain.broker / "revoked.pem", authority.revocation_list(now, valid))
