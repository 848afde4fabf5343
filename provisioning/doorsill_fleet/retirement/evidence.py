"""What the office holds of one device: its policies, its certificates, its verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select
from sqlalchemy.orm import Session

from doorsill.certificates.compact import Known
from doorsill.documents import canonical
from doorsill_fleet.audit.chain import Audit, Trust, audit
from doorsill_fleet.audit.shelf import Shelf
from doorsill_fleet.office.chain import Chain
from doorsill_fleet.registry.devices import certificates
from doorsill_fleet.registry.tables import Device, PolicyRow
from doorsill_fleet.retirement.farewell import purposes_of


@dataclass(frozen=True, slots=True)
class Evidence:
    """Read once from the register; the shelf is looked at again and again."""

    site: str
    device: str
    bodies: list[Mapping[str, Any]]  # of all policies that were signed for it
    trust: Trust
    shelf: Shelf

    def judge(self) -> Audit:
        """The verdict on what has come home by now; UplinkError for a bad file."""
        return audit(self.device, self.shelf.of(self.site, self.device), self.trust)


def evidence(
    chain: Chain, session: Session, device: Device, shelf: Shelf, media: Sequence[str]
) -> Evidence:
    """Of ``device``; ``media`` are the files and partitions that were its medium."""
    bodies = _bodies(chain, session, device)
    signers, revoked = {}, {}
    for row in certificates(session, device.serial):
        found = x509.load_pem_x509_certificate(row.pem.encode())
        der = found.public_bytes(Encoding.DER)
        signers[hashlib.sha256(der).hexdigest()] = der
        if row.revoked is not None:
            at = datetime.fromtimestamp(row.revoked, UTC)
            revoked[found.serial_number] = at
    known = Known(signers, media, purposes_of(bodies))
    trust = Trust(chain.issuing, known, revoked)
    return Evidence(device.site, device.name, bodies, trust, shelf)


def _bodies(chain: Chain, session: Session, device: Device) -> list[Mapping[str, Any]]:
    """Of every policy that was signed for it here; the newest last."""
    wanted = (
        select(PolicyRow)
        .where(PolicyRow.site == device.site, PolicyRow.device == device.name)
        .order_by(PolicyRow.version)
    )
    documents = [row.document.encode() for row in session.scalars(wanted)]
    by_hand = chain.policy_of(device.site)
    found = [by_hand, *documents] if by_hand else documents
    return [canonical.split(each)[0] for each in found]
