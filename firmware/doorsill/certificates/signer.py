"""Which device signed a document: the document holds its certificate, by the device CA.

Stand-alone, as the verifier is: to read blanking certificates and exports, the device
CA's certificate is enough.
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from doorsill.documents.strict_x509 import Unreadable, read_der
from doorsill.errors import UntrustedError

FIELD = "device_certificate"  # of a signed body: DER in base64

PublicKey = ec.EllipticCurvePublicKey


def signer_of(
    body: dict[str, Any], authority: x509.Certificate
) -> tuple[x509.Certificate, PublicKey]:
    """The device's certificate and key in ``body``; the caller checks the signature.

    Raises UntrustedError if the certificate is not signed by ``authority``, is not a
    device's, or is of another device than ``body`` names.
    """
    signer = _read(body.get(FIELD))
    try:
        signer.verify_directly_issued_by(authority)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        raise UntrustedError(
            "the device that signed it was not certified by this device CA"
        ) from None
    key = signer.public_key()
    if not isinstance(key, PublicKey):
        raise UntrustedError("the device's key is not a P-256 key")
    _check_purpose(signer)
    names = signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else None
    if name is None or name.rpartition("_")[2] != body.get("device"):  # behind its site
        raise UntrustedError(
            f"it speaks of device {str(body.get('device'))[:40]} but device {name!s} "
            "signed it"
        )
    return signer, key


def _read(text: object) -> x509.Certificate:
    try:
        if not isinstance(text, str):
            raise ValueError
        return read_der(base64.b64decode(text, validate=True))
    except (Unreadable, ValueError):  # of base64 as well
        raise UntrustedError("it holds no certificate of a device") from None


def _check_purpose(signer: x509.Certificate) -> None:
    """UntrustedError for the certificate of a CA or of a TLS server.

    A certificate that names no purpose may be used for any.
    """
    for each in signer.extensions:
        if isinstance(each.value, x509.BasicConstraints) and each.value.ca:
            raise UntrustedError("a CA signed it, and no device")
        if isinstance(each.value, x509.KeyUsage) and not each.value.digital_signature:
            raise UntrustedError("the certificate of who signed it is not for signing")
        if isinstance(each.value, x509.ExtendedKeyUsage) and (
            ExtendedKeyUsageOID.CLIENT_AUTH not in each.value
        ):
            raise UntrustedError(
                "the certificate of who signed it is not a device's: it is for "
                + ", ".join(_purpose(one) for one in each.value)
            )


def _purpose(oid: x509.ObjectIdentifier) -> str:
    named = {
        ExtendedKeyUsageOID.SERVER_AUTH: "a server, such as a broker",
        ExtendedKeyUsageOID.CODE_SIGNING: "signing code",
    }
    return named.get(oid, oid.dotted_string)
