"""What a fleet's root says of itself: who its controller is, and its consent CA.

The root signs it once, offline. So a server that enrols cameras, and was taken over,
cannot give a camera another controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509

from doorsill.documents import canonical
from doorsill.documents.canonical import PublicKey, require_p256
from doorsill.errors import UntrustedError

FORMAT = "doorsill-charter-1"


@dataclass(frozen=True, slots=True)
class Charter:
    """Two PEM texts."""

    controller_key: bytes
    consent_ca: bytes


def body_of(charter: Charter) -> dict[str, Any]:
    """What the root signs."""
    return {
        "format": FORMAT,
        "controller_key": charter.controller_key.decode("ascii"),
        "consent_ca": charter.consent_ca.decode("ascii"),
    }


def read_charter(data: bytes, root: x509.Certificate) -> Charter:
    """The charter that ``root`` signed, or UntrustedError."""
    key = root.public_key()
    require_p256(key)
    body = canonical.unseal(data, cast(PublicKey, key))
    try:
        found = Charter(
            body["controller_key"].encode("ascii"), body["consent_ca"].encode("ascii")
        )
    except (KeyError, AttributeError, UnicodeEncodeError):
        raise UntrustedError("the fleet's charter lacks a part") from None
    if body_of(found) != body:
        raise UntrustedError("the fleet's charter is of another format")
    return found
