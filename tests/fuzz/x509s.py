"""X.509 and keys: of the card, of its CA, of the device, of the controller."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC as ZONE
from datetime import datetime
from pathlib import Path

from cards import PURPOSE, SITE, UTC, Controller, new_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_crl

from doorsill.consent import trust
from doorsill.consent.enrolled import read_enrolled
from doorsill.device import identity
from doorsill.documents.strict_x509 import revoked_by
from doorsill.office import cards
from doorsill.policy.store import read_public_key
from doorsill_fleet.ca.authority import Authority

from .running import Parser


def card(folder: Path) -> Parser:
    controller = Controller()
    authority, der = controller.authority(), controller.card().der
    return Parser(
        [der], lambda data: trust.verify(data, authority, SITE, [PURPOSE], UTC)
    )


def sealing(folder: Path) -> Parser:
    controller = Controller()
    good, authority = controller.card().verified(), controller.authority()
    der = cards.der(
        cards.sealing(
            controller.ca, controller.key, new_key().public_key(), controller.grant()
        )
    )
    return Parser([der], lambda data: trust.verify_sealing(data, authority, good, UTC))


def consent_ca(folder: Path) -> Parser:
    def feed(data: bytes) -> None:
        trust.authority(data, hashlib.sha256(data).hexdigest(), ["ab"], UTC)

    return Parser([cards.der(Controller().ca)], feed)


def revocation_list(folder: Path) -> Parser:
    now = datetime.now(ZONE)
    fleet = Authority.create("fleet", now)
    fleet.revoke(fleet.certificate, now)
    pem, ca, utc = fleet.revocation_list(now), fleet.certificate, now.timestamp()
    der = load_pem_x509_crl(pem).public_bytes(Encoding.DER)
    return Parser([der, pem], lambda data: revoked_by(data, ca, utc, "device CA"))


def pem_of(label: str, der: bytes) -> bytes:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


def der_of(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.strip().splitlines()[1:-1]))


def device_files(folder: Path) -> tuple[Path, Path]:
    authority = Authority.create("x", datetime.now(ZONE))
    return authority.issue_device("s", "cam-01", datetime.now(ZONE)).write(
        folder, "cam-01"
    )


def device_certificate(folder: Path) -> Parser:
    """As PEM, and below the base64: a first byte of D is put into PEM here."""
    certificate, key = device_files(folder)
    good = certificate.read_bytes()

    def feed(data: bytes) -> None:
        inside = data[:1] == b"D"
        certificate.write_bytes(pem_of("CERTIFICATE", data[1:]) if inside else data)
        identity.read(key, certificate)

    return Parser([good, b"D" + der_of(good)], feed)


def device_key(folder: Path) -> Parser:
    certificate, key = device_files(folder)
    good = key.read_bytes()

    def feed(data: bytes) -> None:
        inside = data[:1] == b"D"
        key.write_bytes(pem_of("PRIVATE KEY", data[1:]) if inside else data)
        identity.read(key, certificate)

    return Parser([good, b"D" + der_of(good)], feed)


def controller_key(folder: Path) -> Parser:
    path = folder / "controller.pem"
    good = new_key().public_key()
    pem = good.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def feed(data: bytes) -> None:
        inside = data[:1] == b"D"
        path.write_bytes(pem_of("PUBLIC KEY", data[1:]) if inside else data)
        read_public_key(path)

    return Parser([pem, b"D" + der_of(pem)], feed)


def enrolled(folder: Path) -> Parser:
    controller, path = Controller(), folder / "ana.pem"
    made = cards.card(
        controller.ca,
        controller.key,
        new_key().public_key(),
        controller.grant(),
        b"credential",
    )
    pem = made.public_bytes(Encoding.PEM)

    def feed(data: bytes) -> None:
        inside = data[:1] == b"D"
        path.write_bytes(pem_of("CERTIFICATE", data[1:]) if inside else data)
        read_enrolled(folder)

    return Parser([pem, b"D" + der_of(pem)], feed)
