"""A private key that stays on a PIV card, where a certificate has to be signed.

``cryptography`` signs with whatever keeps the contract of its own keys; this one hands
the bytes to slot 9C of the card (``controller.from_card``), and gives nothing away.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, NoReturn, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.documents import pem
from doorsill.documents.canonical import PublicKey, SignBytes, require_p256
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError
from doorsill.policy.store import read_public_key

CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
PROOF = b"doorsill: the card with this key is here "  # and 32 bytes that are new


class CardKey(ec.EllipticCurvePrivateKey):
    """The private half of ``public``, on a card that ``sign_bytes`` speaks to."""

    def __init__(self, public: PublicKey, sign_bytes: SignBytes) -> None:
        self._public, self._sign_bytes = public, sign_bytes

    def prove(self) -> None:
        """Have the card sign something new; raises where it is another, or not here."""
        self._sign_bytes(PROOF + secrets.token_bytes(32))

    def sign(self, data: Any, signature_algorithm: Any) -> bytes:
        """ECDSA with SHA-256, in DER; no other."""
        if not isinstance(signature_algorithm, ec.ECDSA) or not isinstance(
            signature_algorithm.algorithm, hashes.SHA256
        ):
            raise ConfigError("a card signs with ECDSA and SHA-256 here, nothing else")
        return self._sign_bytes(bytes(data))

    def public_key(self) -> PublicKey:
        """The other half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """In bits."""
        return self._public.key_size

    def exchange(self, *_: Any) -> NoReturn:
        """Slot 9C signs, and nothing else."""
        raise ConfigError("a key that signs on a card makes no secret with another")

    def private_numbers(self) -> NoReturn:
        """Never: it is on the card."""
        raise ConfigError("a key on a card never leaves it")

    def private_bytes(self, *_: Any) -> NoReturn:
        """Never: it is on the card."""
        raise ConfigError("a key on a card never leaves it")

    def __copy__(self) -> CardKey:
        return self

    def __deepcopy__(self, memo: Any) -> CardKey:
        return self


def read_public(path: Path) -> PublicKey:
    """The P-256 key of a PEM file: a public key, or a certificate as from slot 9C.

    Raises ConfigError if it is neither, UntrustedError for a key of another kind.
    """
    if CERTIFICATE not in read_file(path):
        return read_public_key(path)
    found = pem.read_certificate(path).public_key()
    require_p256(found)
    return cast(PublicKey, found)
