"""A question that only the card in the reader can answer, and only for this moment.

The card signs SHA-256 over a canonical structure: device, boot, policy, site, purpose,
expiry and 32 fresh random bytes. So an answer is not valid on another device, after a
reboot, under another policy, or a second time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from doorsill.consent.trust import ConsentCertificate
from doorsill.errors import UntrustedError

NONCE_BYTES = 32  # fresh random bytes of one question
TAG = b"doorsill consent challenge 1"  # what the card signs, and its version
RELYING_PARTY = "consent.doorsill"  # the FIDO2 name that credentials are made for
USER_PRESENT = 0x01  # flag in FIDO2 authenticator data (CTAP 2.1, 6.1)


@dataclass(frozen=True, slots=True)
class Binding:
    """What an answer is bound to, apart from the moment."""

    device: str
    boot: str  # the kernel's boot id
    policy: str  # SHA-256 of the policy in force, hexadecimal
    site: str
    session_s: float  # the longest a lease may last, from the policy
    needs_line: bool = False  # whether a key switch must be on as well
    lamp_missing: bool = False  # the policy wants a consent lamp, and there is none


@dataclass(frozen=True, slots=True)
class Challenge:
    """One question to one card."""

    binding: Binding
    purpose: str
    expires: float  # UTC s
    nonce: bytes  # 32 random bytes
    touch: bool = False  # whether a FIDO2 token must be touched for this question

    @property
    def digest(self) -> bytes:
        """The 32 bytes that the card signs; a length stands before each field."""
        bound = self.binding
        fields = (
            TAG,
            bound.device.encode(),
            bound.boot.encode(),
            bound.policy.encode(),
            bound.site.encode(),
            self.purpose.encode(),
            str(round(self.expires * 1000)).encode(),
            self.nonce,
        )
        framed = b"".join(len(each).to_bytes(2, "big") + each for each in fields)
        return hashlib.sha256(framed).digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a token answered; ``authenticator_data`` is empty for a PIV card."""

    signature: bytes  # ECDSA in DER
    authenticator_data: bytes = b""


def require_answer(
    challenge: Challenge, answer: Answer, card: ConsentCertificate
) -> Answer:
    """Return ``answer`` if ``card`` gave it to ``challenge``; else UntrustedError.

    A PIV card signs the digest. A FIDO2 token signs its own data followed by the digest
    (WebAuthn 6.3.3), and that data must name our relying party.
    """
    try:
        if card.credential is None:
            scheme = ec.ECDSA(Prehashed(hashes.SHA256()))
            card.key.verify(answer.signature, challenge.digest, scheme)
        else:
            _require_relying_party(challenge, answer.authenticator_data)
            signed = answer.authenticator_data + challenge.digest
            card.key.verify(answer.signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise UntrustedError("the answer is not this card's to this question") from None
    return answer


def _require_relying_party(challenge: Challenge, data: bytes) -> None:
    if data[:32] != hashlib.sha256(RELYING_PARTY.encode()).digest() or len(data) < 37:
        raise UntrustedError("the answer was made for another relying party")
    if challenge.touch and not data[32] & USER_PRESENT:
        raise UntrustedError("the token was not touched")
