"""X.509 read strictly and to the end, so that nothing raises later.

The library takes a certificate apart where it is first looked at, and each part has
errors of its own. Here all of it is looked at once; what X.509 only puts up with for
old times' sake is refused. Source: RFC 5280.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)

T = TypeVar("T")


class Unreadable(ValueError):
    """It is not X.509 as we take it; the caller says whose it was."""


def read_der(der: bytes) -> x509.Certificate:
    """One certificate in DER, or Unreadable."""
    return _read(lambda: _looked_at(x509.load_der_x509_certificate(der)))


def read_pem(pem: bytes) -> x509.Certificate:
    """The first certificate in PEM, or Unreadable."""
    return _read(lambda: _looked_at(x509.load_pem_x509_certificate(pem)))


def read_pem_chain(pem: bytes) -> list[x509.Certificate]:
    """All certificates in PEM, one at least, or Unreadable."""
    return _read(
        lambda: [_looked_at(each) for each in x509.load_pem_x509_certificates(pem)]
    )


def read_list(data: bytes) -> x509.CertificateRevocationList:
    """A revocation list in PEM or DER, each entry of it, or Unreadable."""
    pem = data.lstrip().startswith(b"-----BEGIN")
    load = x509.load_pem_x509_crl if pem else x509.load_der_x509_crl
    return _read(lambda: _list_looked_at(load(data)))


def _read(load: Callable[[], T]) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            return load()
    except _UNREADABLE as error:
        raise Unreadable(str(error)) from None


def _looked_at(found: x509.Certificate) -> x509.Certificate:
    for each in found.extensions:
        _ = each.value
    _ = found.subject, found.issuer, found.serial_number, found.public_key()
    _ = found.not_valid_before_utc, found.not_valid_after_utc
    _ = found.signature_hash_algorithm
    return found


def _list_looked_at(
    found: x509.CertificateRevocationList,
) -> x509.CertificateRevocationList:
    for each in found:
        _ = each.serial_number, list(each.extensions)
    _ = found.issuer, found.last_update_utc, found.next_update_utc
    _ = list(found.extensions), found.signature_hash_algorithm
    return found
