"""Whether a consent card may open the vault: values in, a verified value or an error.

    card certificate ── signed by ──► consent CA ── pinned by SHA-256 in ──► policy

No disk, no network, no clock. All code after this one takes a ``ConsentCertificate``,
and only this module makes one. X.509 as in RFC 5280.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorsill.documents.strict_x509 import Unreadable, read_der
from doorsill.errors import UntrustedError

CERTIFICATE_LIMIT = 4096  # bytes; a PIV card holds about 3,000
URN = "urn:doorsill:consent:"  # what the names in a card's certificate begin with
# An OID of our own, below the UUID arc (RFC 4122), which needs no registry.
FIDO_CREDENTIAL = x509.ObjectIdentifier("2.25.88181068037739161866033065639743953927")
# The critical extensions that this module knows; any other is refused.
UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.SubjectAlternativeName,
    x509.ExtendedKeyUsage,
    x509.SubjectKeyIdentifier,
    x509.AuthorityKeyIdentifier,
)

PublicKey = ec.EllipticCurvePublicKey
Extension = TypeVar("Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Authority:
    """The consent CA of this site, verified, and the cards that it revoked."""

    certificate: x509.Certificate
    revoked: frozenset[int]  # serial numbers


@dataclass(frozen=True, slots=True)
class ConsentCertificate:
    """A card that may open the vault of ``site`` for ``purpose`` between two times."""

    serial: int
    holder: str
    site: str
    purpose: str
    not_before: float  # UTC s
    not_after: float  # UTC s
    key: PublicKey  # P-256; the card signs challenges with its private half
    fingerprint: str  # SHA-256 of the certificate, hexadecimal
    sealing_key: PublicKey | None = None  # slot 9D: data keys are wrapped to it
    credential: bytes | None = None  # a FIDO2 credential id: this is no PIV card


def authority(
    certificate: bytes, pin: str, revoked: Iterable[str], utc: float
) -> Authority:
    """The consent CA in ``certificate`` (DER), if it is the one that the policy pins.

    ``pin`` is its SHA-256 and ``revoked`` the serial numbers of cards, hexadecimal;
    ``utc`` is the time now in s. Raises UntrustedError if it is another CA, may not
    sign others, or is out of date.
    """
    found = fingerprint(certificate)
    if found != pin:
        raise UntrustedError(
            f"the consent CA {found[:16]}... is not the policy's, {pin[:16]}..."
        )
    ca = _parse(certificate, "consent CA")
    basic = _extension(ca, x509.BasicConstraints, "consent CA")
    usage = _extension(ca, x509.KeyUsage, "consent CA")
    if not basic.ca or not usage.key_cert_sign:
        raise UntrustedError("the consent CA's certificate may not sign others")
    _require_p256(ca, "consent CA")
    _require_date(ca, utc, "consent CA")
    return Authority(ca, frozenset(int(serial, 16) for serial in revoked))


def verify(
    certificate: bytes,
    trusted: Authority,
    site: str,
    purposes: Iterable[str],
    utc: float,
) -> ConsentCertificate:
    """The card's certificate (DER) if it may open this site's vault at ``utc`` (s).

    Raises UntrustedError with the reason if it may not.
    """
    card = _parse(certificate, "card")
    _require_signed(card, trusted, "card")
    _require_date(card, utc, "card")
    key = _require_p256(card, "card")
    if not _extension(card, x509.KeyUsage, "card").digital_signature:
        raise UntrustedError("the card's certificate is not for signing (slot 9E)")
    return ConsentCertificate(
        serial=card.serial_number,
        holder=holder_of(card),
        site=site,
        purpose=_purpose(card, site, tuple(purposes)),
        not_before=card.not_valid_before_utc.timestamp(),
        not_after=card.not_valid_after_utc.timestamp(),
        key=key,
        fingerprint=card.fingerprint(hashes.SHA256()).hex(),
        credential=credential_of(card),
    )


def verify_sealing(
    certificate: bytes, trusted: Authority, card: ConsentCertificate, utc: float
) -> PublicKey:
    """The card's 9D key: of the same CA and the same holder, for key agreement.

    Raises UntrustedError with the reason if it is not.
    """
    found = _parse(certificate, "card's 9D")
    _require_signed(found, trusted, "card's 9D")
    _require_date(found, utc, "card's 9D")
    key = _require_p256(found, "card's 9D")
    if not _extension(found, x509.KeyUsage, "card's 9D").key_agreement:
        raise UntrustedError("the card's 9D certificate is not for key agreement")
    if holder_of(found) != card.holder:
        raise UntrustedError(
            f"the card's 9D key is of {holder_of(found)}, its 9E key of {card.holder}"
        )
    return key


def holder_of(certificate: x509.Certificate) -> str:
    """The holder's name, from the subject; at most 64 printable characters.

    Raises UntrustedError if there is none.
    """
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    if not name or len(name) > 64 or not name.isprintable():
        raise UntrustedError("the card's certificate names no holder")
    return name


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER, hexadecimal."""
    return hashlib.sha256(certificate).hexdigest()


def urn(site: str, purpose: str) -> str:
    """How a certificate names what it opens."""
    return f"{URN}{site}:{purpose}"


def urns(certificate: x509.Certificate) -> tuple[str, ...]:
    """All names of ours in the certificate; UntrustedError if it has no names."""
    names = _extension(certificate, x509.SubjectAlternativeName, "card")
    found = names.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(each for each in found if each.startswith(URN))


def _purpose(card: x509.Certificate, site: str, purposes: tuple[str, ...]) -> str:
    named = urns(card)
    for purpose in purposes:
        if urn(site, purpose) in named:
            return purpose
    wanted = " or ".join(urn(site, purpose) for purpose in purposes)
    shown = ", ".join(each[:80] for each in named) or "nothing"
    raise UntrustedError(f"the card opens {shown}; this site wants {wanted or 'none'}")


def _parse(der: bytes, whose: str) -> x509.Certificate:
    if not der:
        raise UntrustedError(f"the {whose} certificate is empty")
    if len(der) > CERTIFICATE_LIMIT:
        raise UntrustedError(
            f"the {whose} certificate has {len(der)} bytes; "
            f"the limit is {CERTIFICATE_LIMIT}"
        )
    try:
        certificate = read_der(der)
    except Unreadable:
        raise UntrustedError(
            f"the {whose} certificate is not readable as X.509"
        ) from None
    for each in certificate.extensions:
        if each.critical and not isinstance(each.value, UNDERSTOOD):
            raise UntrustedError(
                f"the {whose} certificate demands {each.oid.dotted_string}, "
                "which is not known here"
            )
    return certificate


def _require_signed(card: x509.Certificate, trusted: Authority, whose: str) -> None:
    try:
        card.verify_directly_issued_by(trusted.certificate)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        raise UntrustedError(
            f"the {whose} certificate is not signed by this site's consent CA"
        ) from None
    if card.serial_number in trusted.revoked:
        raise UntrustedError(f"the card {card.serial_number:x} was taken back")
    if _is_ca(card):
        raise UntrustedError(f"the {whose} certificate is a CA's, not a card's")


def _is_ca(card: x509.Certificate) -> bool:
    try:
        return card.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _require_date(card: x509.Certificate, utc: float, whose: str) -> None:
    start, end = card.not_valid_before_utc, card.not_valid_after_utc
    if utc < start.timestamp():
        raise UntrustedError(
            f"the {whose} certificate begins on {_day(start)}; "
            f"this device's clock says {_day(datetime.fromtimestamp(utc, UTC))}"
        )
    if utc >= end.timestamp():
        raise UntrustedError(f"the {whose} certificate ended on {_day(end)}")


def _require_p256(card: x509.Certificate, whose: str) -> PublicKey:
    key = card.public_key()
    if isinstance(key, PublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    name = getattr(getattr(key, "curve", None), "name", type(key).__name__)
    raise UntrustedError(f"the {whose} key is {name}; only P-256 is accepted")


def _extension(
    certificate: x509.Certificate, kind: type[Extension], whose: str
) -> Extension:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        name = kind.__name__
        raise UntrustedError(f"the {whose} certificate has no {name}") from None


def credential_of(card: x509.Certificate) -> bytes | None:
    """The FIDO2 credential id that the certificate names, if it names one."""
    for each in card.extensions:
        if isinstance(each.value, x509.UnrecognizedExtension) and (
            each.oid == FIDO_CREDENTIAL
        ):
            return each.value.value
    return None


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
