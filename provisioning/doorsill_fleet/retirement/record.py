"""The record of a device's end: signed by the fleet, in a file and in the register.

{"signature": ES256 of the issuing CA, "signed": {format, serial, site, device,
 retired, vault, policy, certificates, newest, revoked, why}}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from cryptography import x509

from doorsill.documents import canonical
from doorsill.documents.canonical import PublicKey, require_p256
from doorsill.errors import UntrustedError
from doorsill_fleet.ca.authority import Authority

FORMAT = "doorsill-retirement/1"
BLANKED, NO_VAULT, NOT_CERTIFIED = "blanked", "none", "not certified"
WORDS = {
    BLANKED: "its vault is blank, as its verified certificates say",
    NO_VAULT: "it never had a vault: no policy of it allowed one",
    NOT_CERTIFIED: "whether its vault is blank is NOT certified",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known of a device at its end."""

    serial: str
    site: str
    device: str
    vault: str  # BLANKED, NO_VAULT or NOT_CERTIFIED
    why: str
    policy: str | None = None  # SHA-256 of its last policy
    certificates: int = 0  # that came home and were verified
    newest: str | None = None  # SHA-256 of the last of them


def seal(
    ending: Ending, revoked: Sequence[str], authority: Authority, now: datetime
) -> bytes:
    """The signed record; ``revoked`` are fingerprints of certificates, now void."""
    body: dict[str, Any] = {
        "format": FORMAT,
        "serial": ending.serial,
        "site": ending.site,
        "device": ending.device,
        "retired": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "vault": ending.vault,
        "policy": ending.policy,
        "certificates": ending.certificates,
        "newest": ending.newest,
        "revoked": sorted(revoked),
        "why": ending.why,
    }
    return canonical.seal(body, authority.key)


def read(document: bytes, issuing: x509.Certificate) -> dict[str, Any]:
    """The body of a record, verified; else UntrustedError."""
    key = issuing.public_key()
    require_p256(key)
    body = canonical.unseal(document, cast(PublicKey, key))
    if body.get("format") != FORMAT:
        raise UntrustedError("it is no record of a retirement")
    return body
