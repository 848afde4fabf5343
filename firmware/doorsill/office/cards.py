"""The certificates of consent: the controller's CA, and the certificates on a card.

Pure: keys, names and times are arguments. RFC 5280 shapes; P-256 with SHA-256 only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorsill.consent.trust import FIDO_CREDENTIAL, PublicKey, urn
from doorsill.errors import ConfigError

SITE = re.compile(r"[a-z0-9-]{1,16}")
PURPOSE = re.compile(r"[a-z0-9-]{1,32}")
CONTROLLER = re.compile(r"[^\x00-\x1f]{1,64}")
HOLDER = re.compile(r"[\w .'@-]{1,64}")
CARD_DAYS_LIMIT = 365  # longest validity of a card
AUTHORITY_DAYS_LIMIT = 3653  # longest validity of the CA

PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Grant:
    """What a card is for, and for how long; ConfigError if a value is bad."""

    holder: str
    site: str
    purpose: str
    not_before: float  # UTC s
    days: int

    def __post_init__(self) -> None:
        _require("holder", self.holder, HOLDER)
        _require("site", self.site, SITE)
        _require("purpose", self.purpose, PURPOSE)
        _require_days(self.days, CARD_DAYS_LIMIT)


def authority(
    key: PrivateKey, controller: str, utc: float, days: int
) -> x509.Certificate:
    """A self-signed consent CA for ``controller``; it signs cards, nothing else."""
    require_authority(controller, days)
    names = (
        (NameOID.ORGANIZATION_NAME, controller),
        (NameOID.COMMON_NAME, "doorsill consent CA"),
    )
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    builder = _builder(name, name, key.public_key(), utc, days)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(
        key_usage("key_cert_sign", "crl_sign"), critical=True
    )
    return builder.sign(key, hashes.SHA256())


def card(
    ca: x509.Certificate,
    ca_key: PrivateKey,
    key: PublicKey,
    grant: Grant,
    credential: bytes | None = None,
) -> x509.Certificate:
    """The card's certificate: ``key`` may open the vault as ``grant`` says.

    ``credential`` is the credential id where the token is FIDO2.
    """
    name = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(urn(grant.site, grant.purpose))]
    )
    builder = _issue(ca, key, grant)
    builder = builder.add_extension(key_usage("digital_signature"), critical=True)
    builder = builder.add_extension(name, critical=False)
    if credential is not None:
        extension = x509.UnrecognizedExtension(FIDO_CREDENTIAL, credential)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def sealing(
    ca: x509.Certificate, ca_key: PrivateKey, key: PublicKey, grant: Grant
) -> x509.Certificate:
    """The certificate of the card's 9D key, to which data keys are wrapped."""
    builder = _issue(ca, key, grant)
    builder = builder.add_extension(key_usage("key_agreement"), critical=True)
    return builder.sign(ca_key, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    """The certificate in DER, as it is on a card."""
    return certificate.public_bytes(serialization.Encoding.DER)


def require_authority(controller: str, days: int) -> None:
    """ConfigError if a CA cannot be made with these values."""
    _require("controller", controller, CONTROLLER)
    _require_days(days, AUTHORITY_DAYS_LIMIT)


def require_within(ca: x509.Certificate, grant: Grant) -> None:
    """ConfigError if the card would be valid longer than its CA."""
    ends = grant.not_before + grant.days * 86400
    if ends > ca.not_valid_after_utc.timestamp():
        raise ConfigError(
            f"the card would outlive the consent CA, which ends on "
            f"{ca.not_valid_after_utc:%Y-%m-%d}; take fewer than {grant.days} days"
        )


def _issue(
    ca: x509.Certificate, key: PublicKey, grant: Grant
) -> x509.CertificateBuilder:
    require_within(ca, grant)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, grant.holder)])
    builder = _builder(subject, ca.subject, key, grant.not_before, grant.days)
    return builder.add_extension(x509.BasicConstraints(False, None), critical=True)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, utc: float, days: int
) -> x509.CertificateBuilder:
    start = datetime.fromtimestamp(int(utc), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )


def key_usage(*allowed: str) -> x509.KeyUsage:
    """The extension that allows these uses of a key (RFC 5280, 4.2.1.3), no other."""
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{each: each in allowed for each in every})


def _require(name: str, value: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(value):
        raise ConfigError(f"{name} = {value!r} does not match {pattern.pattern}")


def _require_days(days: int, limit: int) -> None:
    if not 1 <= days <= limit:
        raise ConfigError(f"days = {days} is outside of 1 to {limit}")
