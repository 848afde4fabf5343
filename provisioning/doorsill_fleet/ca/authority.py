"""A small certificate authority on P-256: a root, a broker, devices, a revocation list.

    root ──┬── issuing           a CA below the root, which may then be offline
           ├── broker            server certificate for its host names and addresses
           ├── porto-1_cam-01    a device: its site and its id
           ├── reader:store      a reader; no device can have a name with a colon
           ├── bridge:porto-1    a shop's own broker
           ├── office:policy     who writes policies
           └── revoked           CRL

A broker makes the common name of a client the user name and the client id. Site, id
and reader hold [a-z0-9-] only: they become levels of an MQTT topic, where ``+``, ``#``
and ``/`` would be wild cards or another device. The demo makes a throw-away one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from doorsill.documents.canonical import require_p256
from doorsill.errors import ConfigError, UntrustedError
from doorsill.wire.messages import client
from doorsill_fleet.ca.parts import (
    CLOCK_SLACK,
    begin,
    general_name,
    named,
    usage,
)

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")
# Prefixes of the names of those who are no devices: a device's name has no colon.
READER, BRIDGE = "reader:", "bridge:"
OFFICE = "office:policy"  # who writes policies
ROOT_VALID = timedelta(days=3650)
LEAF_VALID = timedelta(days=398)
CRL_VALID = timedelta(days=30)

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, not yet on disk."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write ``name.pem`` and ``name.key`` (mode 0600) in ``folder``."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(pem_of(self.certificate))
        write_private(key, pem_of_key(self.key))
        return certificate, key


@dataclass(slots=True)
class Authority:
    """Signs with the root key; all times come from ``now``."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    _revoked: list[tuple[int, datetime]] = field(default_factory=list)

    @classmethod
    def create(
        cls, name: str, now: datetime, below: int = 0, key: PrivateKey | None = None
    ) -> Authority:
        """A new root, valid for ten years from ``now``; with a new key, or ``key``.

        ``below`` is how many CAs a chain may hold between the root and a device.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = begin(named(name), named(name), key.public_key(), now, ROOT_VALID)
        return cls(_sign_authority(builder, key, below), key)

    def delegate(self, name: str, now: datetime) -> Authority:
        """A CA below this one, which issues while this one's key lies in a safe."""
        key, issuer = ec.generate_private_key(ec.SECP256R1()), self.certificate.subject
        valid = self.certificate.not_valid_after_utc - now
        builder = begin(named(name), issuer, key.public_key(), now, valid)
        public = self.key.public_key()
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False
        )
        return Authority(_sign_authority(builder, self.key, 0), key)

    def issue_server(self, hosts: Sequence[str], now: datetime) -> Issued:
        """Issue for a broker at ``hosts``, names or addresses; ConfigError if none."""
        if not hosts:
            raise ConfigError("a server certificate needs one host name at least")
        return self.issue_own(hosts[0], hosts, now)

    def issue_own(self, name: str, hosts: Sequence[str], now: datetime) -> Issued:
        """Issue for one of the fleet's own: a server at ``hosts``, or else a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Issued(self.certify_own(key.public_key(), name, hosts, now), key)

    def certify_own(
        self, key: PublicKey, name: str, hosts: Sequence[str], now: datetime
    ) -> x509.Certificate:
        """Certify ``key`` as :meth:`issue_own`; for one that is there already."""
        if not hosts:
            return self._certify(name, key, ExtendedKeyUsageOID.CLIENT_AUTH, now)
        names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
        return self._certify(name, key, ExtendedKeyUsageOID.SERVER_AUTH, now, names)

    def issue_device(self, site: str, device: str, now: datetime) -> Issued:
        """Issue for a device, with a key made here: only for tests and the demo."""
        name = client(require_name(site), require_name(device))
        return self.issue_own(name, (), now)

    def certify_device(
        self, request: bytes, site: str, device: str, now: datetime
    ) -> x509.Certificate:
        """Certify a device that made its own key, which never leaves it.

        ``request`` is what ``identity.create`` gave, PEM. UntrustedError where it is
        not signed by its own key, which must be P-256, or asks for another name.
        """
        name = client(require_name(site), require_name(device))
        asked = _read_request(request)
        if asked.subject != named(name):
            raise UntrustedError(
                f"the request is for {asked.subject.rfc4514_string()[:80]}, "
                f"and not for {name}"
            )
        public, client_auth = asked.public_key(), ExtendedKeyUsageOID.CLIENT_AUTH
        require_p256(public)
        return self._certify(name, cast(PublicKey, public), client_auth, now)

    def certify_key(
        self, key: PublicKey, site: str, device: str, now: datetime
    ) -> x509.Certificate:
        """Certify ``key``, of which possession was proven, for a device."""
        require_p256(key)
        name = client(require_name(site), require_name(device))
        return self._certify(name, key, ExtendedKeyUsageOID.CLIENT_AUTH, now)

    def issue_reader(self, name: str, now: datetime) -> Issued:
        """Issue for a subscriber called ``name``."""
        reader = reader_name(require_name(name))
        return self.issue_own(reader, (), now)

    def revoke(self, certificate: x509.Certificate, now: datetime) -> None:
        """Revoke ``certificate``: brokers refuse it from the next list on."""
        self._revoked.append((certificate.serial_number, now))

    def revocation_list(self, now: datetime, valid: timedelta = CRL_VALID) -> bytes:
        """The signed CRL as PEM, good for ``valid`` from ``now``."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - CLOCK_SLACK)
            .next_update(now + valid)
        )
        for serial, date in self._revoked:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(
                revoked.revocation_date(date).build()
            )
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def write_root(self, folder: Path) -> Path:
        """Write ``ca.pem`` in ``folder``; the key stays in memory."""
        path = folder / "ca.pem"
        path.write_bytes(pem_of(self.certificate))
        return path

    def _certify(
        self,
        name: str,
        key: PublicKey,
        purpose: x509.ObjectIdentifier,
        now: datetime,
        names: x509.SubjectAlternativeName | None = None,
    ) -> x509.Certificate:
        issuer = self.certificate.subject
        builder = begin(named(name), issuer, key, now, LEAF_VALID)
        builder = builder.add_extension(
            x509.BasicConstraints(False, None), critical=True
        )
        builder = builder.add_extension(usage(signs=False), critical=True)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([purpose]), critical=False
        )
        root = self.key.public_key()
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root), critical=False
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def pem_of(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def pem_of_key(key: PrivateKey) -> bytes:
    """A private key as PKCS#8 PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, mode 0600; replaces an old one.

    A link there is replaced and not followed, and an open file is not written to.
    """
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    temporary.replace(path)


def require_name(name: str) -> str:
    """Return ``name`` if a site, device or reader may have it; else ConfigError."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"the name {name[:40]!r} must be 1 to 16 characters of a-z, 0-9 and -, "
            "and begin with no -"
        )
    return name


def reader_name(name: str) -> str:
    """The name of a reader at the broker; no device can have it."""
    return f"{READER}{name}"


def bridge_name(site: str) -> str:
    """The name of a shop's own broker at the chain's; no device can have it."""
    return f"{BRIDGE}{site}"


def _sign_authority(
    builder: x509.CertificateBuilder, key: PrivateKey, below: int
) -> x509.Certificate:
    builder = builder.add_extension(x509.BasicConstraints(True, below), critical=True)
    builder = builder.add_extension(usage(signs=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def _read_request(pem: bytes) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(pem)
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise UntrustedError("it is no certificate request in PEM") from None
    if not signed:
        raise UntrustedError("the request is not signed by its own key")
    return request
