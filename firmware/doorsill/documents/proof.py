"""Proofs that a camera signs with its key, outside TLS.

A server behind ASGI never sees the certificate of a TLS client, and one behind a proxy
would have to believe the proxy. So the camera signs the request itself.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.documents.canonical import ES256, PrivateKey
from doorsill.errors import UntrustedError

RENEWAL = b"doorsill renewal 1"  # of a request for a new certificate
START = b"doorsill start 1"  # of a request for what a camera needs to run
SIGNATURE_BYTES = 80  # of an ECDSA signature on P-256 in DER, at most


def sign_request(key: PrivateKey, purpose: bytes, certificate: str, body: bytes) -> str:
    """Base64 of a signature over purpose, fingerprint of our certificate and body."""
    return base64.b64encode(
        key.sign(_words(purpose, certificate, body), ES256)
    ).decode()


def require_proof(
    key: object, proof: str, purpose: bytes, certificate: str, body: bytes
) -> None:
    """UntrustedError unless ``proof`` is what the holder of ``key`` signed."""
    try:
        signature = base64.b64decode(proof.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise UntrustedError("the proof is not base64") from None
    if len(signature) > SIGNATURE_BYTES or not isinstance(
        key, ec.EllipticCurvePublicKey
    ):
        raise UntrustedError("the proof is no signature on P-256")
    try:
        key.verify(signature, _words(purpose, certificate, body), ES256)
    except InvalidSignature:
        raise UntrustedError(
            "the request is not signed by the key of the certificate that it names"
        ) from None


def _words(purpose: bytes, certificate: str, body: bytes) -> bytes:
    return b"\0".join((purpose, certificate.encode("ascii", "replace"), body))
