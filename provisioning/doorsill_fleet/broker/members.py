"""The broker's files that follow from the register: who has rights, who is revoked."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from sqlalchemy.orm import Session

from doorsill.policy.store import replace
from doorsill_fleet.broker.mosquitto import access_list
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.office.chain import READERS, Chain
from doorsill_fleet.registry.devices import devices, is_in_service, revoked


def write_access(chain: Chain, session: Session) -> None:
    """The access list: each camera that is in service, and the readers."""
    sites: dict[str, list[str]] = {}
    for each in devices(session):
        if is_in_service(each):
            sites.setdefault(each.site, []).append(each.name)
    lists = (access_list(site, names, READERS) for site, names in sites.items())
    replace(chain.broker / "access", "\n".join(lists).encode())


def write_revoked(
    chain: Chain, session: Session, authority: Authority, now: datetime
) -> None:
    """The revocation list. It is carried to the broker, and good as long as the CA.

    A list that ends would close the broker to everybody on the day when nobody came.
    """
    for each in revoked(session):
        authority.revoke(x509.load_pem_x509_certificate(each.pem.encode()), now)
    valid = authority.certificate.not_valid_after_utc - now
    replace(chain.broker / "revoked.pem", authority.revocation_list(now, valid))
