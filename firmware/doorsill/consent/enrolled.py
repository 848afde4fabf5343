"""The FIDO2 keys that the controller enrolled: one PEM file each on the device.

A FIDO2 key cannot hold a certificate of ours. So ``doorsill consent issue`` writes the
certificates into such a file, and ``credential`` in it says which key they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from doorsill.consent.trust import credential_of
from doorsill.documents.strict_x509 import Unreadable, read_pem_chain
from doorsill.errors import ConfigError

CARDS_LIMIT = 64  # most keys that one device can have enrolled


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolled key; certificates in DER, ``sealing`` empty if there is none."""

    credential: bytes
    presence: bytes
    sealing: bytes = b""


def read_enrolled(folder: Path) -> tuple[Enrolled, ...]:
    """The keys in ``folder``: one PEM file each, the presence certificate first.

    Raises ConfigError if there are too many, or a file is no such key's.
    """
    found = []
    paths = sorted(folder.glob("*.pem"))
    if len(paths) > CARDS_LIMIT:
        raise ConfigError(f"{folder} holds {len(paths)} keys; the limit {CARDS_LIMIT}")
    for path in paths:
        try:
            chain = read_pem_chain(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from None
        except Unreadable as error:
            raise ConfigError(f"{path} is not a FIDO2 key's file: {error}") from None
        credential = credential_of(chain[0])
        if credential is None:
            raise ConfigError(f"{path} names no FIDO2 credential")
        raw = [each.public_bytes(serialization.Encoding.DER) for each in chain]
        found.append(Enrolled(credential, raw[0], raw[1] if len(raw) > 1 else b""))
    return tuple(found)
