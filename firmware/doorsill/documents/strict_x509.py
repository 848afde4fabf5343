"""X.509 read strictly and completely, so that no later access raises.

The library parses each part of a certificate at its first access, and each part has
errors of its own. Here every part is accessed once. Forms that the library only
tolerates, with a warning, are refused. Source: RFC 5280.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.errors import UntrustedError

_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    Warning,  # a form that the library only tolerates
)

T = TypeVar("T")


class Unreadable(ValueError):
    """It is not X.509 as we accept it; the caller says whose it was."""


def read_der(der: bytes) -> x509.Certificate:
    """One certificate in DER, or Unreadable."""
    return _read(lambda: _parse(x509.load_der_x509_certificate(der)))


def read_pem(pem: bytes) -> x509.Certificate:
    """The first certificate in PEM, or Unreadable."""
    return _read(lambda: _parse(x509.load_pem_x509_certificate(pem)))


def read_pem_chain(pem: bytes) -> list[x509.Certificate]:
    """All certificates in PEM, one at least, or Unreadable."""
    return _read(
        lambda: [_parse(each) for each in x509.load_pem_x509_certificates(pem)]
    )


def read_list(data: bytes) -> x509.CertificateRevocationList:
    """A revocation list in PEM or DER, each entry of it, or Unreadable."""
    pem = data.lstrip().startswith(b"-----BEGIN")
    load = x509.load_pem_x509_crl if pem else x509.load_der_x509_crl
    return _read(lambda: _parse_list(load(data)))


def revoked_by(
    data: bytes, authority: x509.Certificate, utc: float, whose: str
) -> dict[int, datetime]:
    """Serial numbers and dates in a revocation list of ``authority``, PEM or DER.

    Raises UntrustedError if the list is unreadable, not signed by ``authority``, or out
    of date at ``utc`` (s). ``whose`` names the authority in the message.
    """
    try:
        found = read_list(data)
    except Unreadable:
        raise UntrustedError("the revocation list is not readable as X.509") from None
    if not _is_signed_by(found, authority):
        raise UntrustedError(f"the revocation list is not signed by the {whose}")
    ends = found.next_update_utc
    if ends is None or utc >= ends.timestamp():
        raise UntrustedError(f"the revocation list ended on {ends}; fetch a newer one")
    return {each.serial_number: each.revocation_date_utc for each in found}


def _is_signed_by(
    found: x509.CertificateRevocationList, authority: x509.Certificate
) -> bool:
    key = authority.public_key()
    try:
        signed = isinstance(key, ec.EllipticCurvePublicKey) and (
            found.is_signature_valid(key)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return signed and found.issuer == authority.subject


def _read(load: Callable[[], T]) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return load()
    except _UNREADABLE as error:
        raise Unreadable(str(error)) from None


def _parse(found: x509.Certificate) -> x509.Certificate:
    for each in found.extensions:
        _ = each.value
    _ = found.subject, found.issuer, found.serial_number, found.public_key()
    _ = found.not_valid_before_utc, found.not_valid_after_utc
    _ = found.signature_hash_algorithm
    return found


def _parse_list(
    found: x509.CertificateRevocationList,
) -> x509.CertificateRevocationList:
    for each in found:
        _ = each.serial_number, each.revocation_date_utc, list(each.extensions)
    _ = found.issuer, found.last_update_utc, found.next_update_utc
    _ = list(found.extensions), found.signature_hash_algorithm
    return found
