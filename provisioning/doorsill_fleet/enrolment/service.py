"""From a request to a certificate, in one transaction each; the decisions are pure.

A voucher is good once: for the first key that comes with it. The same key may come
again, as after a cut, and gets the same certificate. Two that come at once are two
transactions, one after the other, so the second one finds the voucher used.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from doorsill.documents import canonical, proof
from doorsill.documents.pem import fingerprint
from doorsill.documents.voucher import secret_hash
from doorsill.errors import UntrustedError
from doorsill_fleet.ca.authority import Authority, pem_of
from doorsill_fleet.enrolment.requests import Asked, read_request
from doorsill_fleet.office.chain import Chain
from doorsill_fleet.policies.signed import newest
from doorsill_fleet.registry.register import transaction
from doorsill_fleet.registry.tables import (
    ACTIVE,
    EXPECTED,
    CertificateRow,
    Device,
    Site,
    SiteBroker,
    VoucherRow,
)

RENEWABLE_FROM = 0.5  # share of a certificate's life before which none is renewed


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What every request needs."""

    chain: Chain
    register: Engine
    authority: Authority

    def enrol(
        self, serial: str, secret: str, body: bytes, now: datetime
    ) -> x509.Certificate | None:
        """The certificate for a voucher and a request; None: a person has to approve.

        Raises ConfigError or UntrustedError with what is wrong.
        """
        with transaction(self.register) as session:
            voucher = session.get(VoucherRow, secret_hash(secret))
            voucher = require_voucher(voucher, serial, now)
            asked = read_request(body, serial)
            require_first(voucher, asked.key_hash)
            device = require_in_service(session.get(Device, serial))
            if voucher.used_by is None:
                voucher.used_by, voucher.used = asked.key_hash, int(now.timestamp())
            found = _of_key(session, serial, asked.key_hash)
            if found is not None:
                return x509.load_pem_x509_certificate(found.pem.encode())
            if not _is_approved(session, device, asked):
                return None
            return self._certify(session, device, asked, now)

    def renew(
        self, of: str, proved: str, body: bytes, now: datetime
    ) -> x509.Certificate:
        """A certificate for another key, asked for with the key of certificate ``of``.

        Raises ConfigError or UntrustedError with what is wrong.
        """
        with transaction(self.register) as session:
            row, device = self._require_holder(
                session, of, proved, proof.RENEWAL, body, now
            )
            asked = read_request(body, device.serial)
            found = _of_key(session, device.serial, asked.key_hash)
            if found is not None and found.fingerprint != of:
                return x509.load_pem_x509_certificate(found.pem.encode())
            require_renewable(row, asked.key_hash, now)
            return self._certify(session, device, asked, now)

    def start(self, of: str, proved: str, body: bytes, now: datetime) -> bytes:
        """What the holder of certificate ``of`` needs to run, canonical JSON."""
        with transaction(self.register) as session:
            _, device = self._require_holder(
                session, of, proved, proof.START, body, now
            )
            site = device.site
            own = newest(session, site, device.name)
            document = own.document.encode() if own else None
            found = session.get(SiteBroker, site)
            places = self.chain.places
            host, port = places.broker, places.broker_port
            if found is not None:
                host, port = found.host, found.port
        policy = document or self.chain.policy_of(site)
        folder = self.chain.folder
        return canonical.encode(
            {
                "broker": {"host": host, "port": port},
                "ca": (folder / "ca.pem").read_text("ascii"),
                "charter": _base64((folder / "charter.json").read_bytes()),
                "policy": _base64(policy) if policy else None,
            }
        )

    def _require_holder(
        self,
        session: Session,
        of: str,
        proved: str,
        purpose: bytes,
        body: bytes,
        now: datetime,
    ) -> tuple[CertificateRow, Device]:
        row = require_certificate(session.get(CertificateRow, of), now)
        key = x509.load_pem_x509_certificate(row.pem.encode()).public_key()
        proof.require_proof(key, proved, purpose, of, body)
        return row, require_in_service(session.get(Device, row.serial))

    def _certify(
        self, session: Session, device: Device, asked: Asked, now: datetime
    ) -> x509.Certificate:
        if session.scalars(
            select(CertificateRow).where(CertificateRow.key == asked.key_hash)
        ).first():
            raise UntrustedError("this key has a certificate already; make another key")
        made = self.authority.certify_key(asked.key, device.site, device.name, now)
        session.add(
            CertificateRow(
                fingerprint=fingerprint(made),
                serial=device.serial,
                key=asked.key_hash,
                pem=pem_of(made).decode(),
                issued=int(now.timestamp()),
                ends=int(made.not_valid_after_utc.timestamp()),
            )
        )
        device.state = ACTIVE
        return made


def require_voucher(found: VoucherRow | None, serial: str, now: datetime) -> VoucherRow:
    """The voucher, if it is one of ours, for ``serial``, and not expired."""
    if found is None:
        raise UntrustedError(
            "this voucher is unknown: it was typed wrongly, or another one replaced it"
        )
    if found.serial != serial:
        raise UntrustedError(f"this voucher is not for {serial[:16]!r}")
    if now.timestamp() >= found.expires:
        raise UntrustedError(
            f"this voucher expired on {_day(found.expires)}; for another: "
            f"doorsill-fleet device replace {serial}"
        )
    return found


def require_first(found: VoucherRow, key: str) -> None:
    """UntrustedError if another key has used the voucher."""
    if found.used_by is not None and found.used_by != key:
        raise UntrustedError(
            f"this voucher was used on {_day(found.used or 0)} by another key; if that "
            f"was not this camera, revoke it: doorsill-fleet device replace "
            f"{found.serial}"
        )


def require_in_service(device: Device | None) -> Device:
    """The device, unless it was revoked or retired."""
    if device is None or device.state not in (EXPECTED, ACTIVE):
        state = "unknown" if device is None else device.state
        raise UntrustedError(f"this device is {state}; it gets no certificate")
    return device


def require_certificate(row: CertificateRow | None, now: datetime) -> CertificateRow:
    """The certificate, if it is one of ours, not revoked and not expired."""
    if row is None:
        raise UntrustedError("this certificate is none of this fleet's")
    if row.revoked is not None:
        raise UntrustedError(f"this certificate was revoked on {_day(row.revoked)}")
    if now.timestamp() >= row.ends:
        raise UntrustedError(
            f"this certificate expired on {_day(row.ends)}; for a voucher: "
            f"doorsill-fleet device replace {row.serial}"
        )
    return row


def require_renewable(row: CertificateRow, key: str, now: datetime) -> None:
    """UntrustedError if it is too early, or the key would stay the same."""
    if key == row.key:
        raise UntrustedError("a renewal wants a new key")
    half = row.issued + RENEWABLE_FROM * (row.ends - row.issued)
    if now.timestamp() < half:
        raise UntrustedError(f"this certificate is renewed from {_day(half)} on")


def _is_approved(session: Session, device: Device, asked: Asked) -> bool:
    site = session.get(Site, device.site)
    if site is None or not site.approves or device.approved_key == asked.key_hash:
        return True
    device.asked_key = asked.key_hash
    return False


def _of_key(session: Session, serial: str, key: str) -> CertificateRow | None:
    wanted = select(CertificateRow).where(
        CertificateRow.serial == serial,
        CertificateRow.key == key,
        CertificateRow.revoked.is_(None),
    )
    return session.scalars(wanted).first()


def _day(utc: float) -> str:
    return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
