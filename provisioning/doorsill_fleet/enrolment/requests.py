"""A certificate request, looked at to the end: PKCS#10 in DER, as EST carries it.

It must be signed by its own key, which is on P-256, name the serial number alone, and
ask for nothing else. What the certificate says is the register's to decide.
"""

from __future__ import annotations

import base64
import binascii
import warnings
from dataclasses import dataclass, field
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from doorsill.documents.canonical import PublicKey, require_p256
from doorsill.documents.pem import der_of
from doorsill.errors import ConfigError, UntrustedError

_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    Warning,  # a form that the library only tolerates
)
UNREADABLE = "the request is no PKCS#10 certificate request in base64"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was checked."""

    key: PublicKey = field(repr=False)
    key_hash: str  # SHA-256 of the public key in DER, 64 hexadecimal digits


def read_request(body: bytes, name: str) -> Asked:
    """The request in ``body``, which must be for ``name``.

    Raises ConfigError if it is unreadable, UntrustedError if it is not to be certified.
    """
    request = _load(_from_base64(body))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            signed, extensions = request.is_signature_valid, len(request.extensions)
            names, key = list(request.subject), request.public_key()
    except _UNREADABLE:
        raise UntrustedError(f"{UNREADABLE}, or of an unknown kind") from None
    require_p256(key)
    if not signed:
        raise UntrustedError("the request is not signed by its own key")
    if [(each.oid, each.value) for each in names] != [(NameOID.COMMON_NAME, name)]:
        said = ", ".join(str(each.value) for each in names)[:60]
        raise UntrustedError(f"the request is for {said!r}, and the voucher for {name}")
    if extensions or len(request.attributes):
        raise UntrustedError("the request asks for more than a name: no extensions")
    public = cast(PublicKey, key)
    return Asked(public, key_hash(public))


def key_hash(key: PublicKey) -> str:
    """SHA-256 of the public key in DER."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der_of(key))
    return digest.finalize().hex()


def _load(der: bytes) -> x509.CertificateSigningRequest:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return x509.load_der_x509_csr(der)
    except _UNREADABLE:
        raise ConfigError(UNREADABLE) from None


def _from_base64(body: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except (ValueError, binascii.Error):
        raise ConfigError(UNREADABLE) from None
