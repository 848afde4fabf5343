"""The commands to a FIDO2 key (CTAP 2.1): make a credential, assert, hide a secret.

No thread, no port and no state: a device in, its answer out. What the key refuses is
raised as CtapError; ``token_error`` says what that means for consent.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from doorsill.consent.challenge import RELYING_PARTY
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError
from doorsill.documents.canonical import P256_ORDER
from doorsill.errors import ConfigError

try:
    from fido2.cose import ES256
    from fido2.ctap import CtapDevice, CtapError
    from fido2.ctap2.base import AssertionResponse, Ctap2
    from fido2.ctap2.pin import ClientPin
except ImportError:
    raise ConfigError("FIDO2 keys need fido2: pip install 'doorsill[pi]'") from None

HMAC_SECRET = "hmac-secret"  # noqa: S105 - the extension's name
SALT = hashlib.sha256(b"doorsill consent sealing key 1").digest()


def wants_pin(device: CtapDevice) -> bool:
    """Whether the key makes a credential only after its PIN."""
    return bool(Ctap2(device).info.options.get("clientPin"))


def enrol(
    device: CtapDevice, holder: str, pin: str | None = None
) -> tuple[bytes, ec.EllipticCurvePublicKey]:
    """Make a credential on ``device`` (touch it): its id and its public key.

    Raises CtapError where the key refuses, TokenError where it makes no P-256 key.
    """
    ctap, digest = Ctap2(device), hashlib.sha256(b"doorsill consent issue").digest()
    proof, version = None, None
    if pin is not None:
        client = ClientPin(ctap)
        token = client.get_pin_token(pin)
        proof = client.protocol.authenticate(token, digest)
        version = client.protocol.VERSION
    made = ctap.make_credential(
        digest,
        {"id": RELYING_PARTY, "name": "doorsill consent"},
        {"id": hashlib.sha256(holder.encode()).digest(), "name": holder},
        [{"type": "public-key", "alg": ES256.ALGORITHM}],
        extensions={HMAC_SECRET: True},
        pin_uv_param=proof,
        pin_uv_protocol=version,
    )
    found = made.auth_data.credential_data
    if found is None or not isinstance(found.public_key, ES256):
        raise TokenError(Reason.CARD_ERROR, "the FIDO2 key made no P-256 credential")
    return found.credential_id, _public(found.public_key)


def get_assertion(
    device: CtapDevice,
    allowed: list[bytes],
    digest: bytes,
    touch: bool,
    cancel: threading.Event,
) -> AssertionResponse:
    """Have one of the ``allowed`` credentials sign ``digest``, until ``cancel`` is set.

    Raises CtapError where the key refuses or is not touched in time.
    """
    return Ctap2(device).get_assertion(
        RELYING_PARTY, digest, _descriptors(allowed), None, {"up": touch}, event=cancel
    )


def derive_sealing_key(
    device: CtapDevice, credential: bytes
) -> ec.EllipticCurvePrivateKey:
    """Derive the key from the secret in ``device`` (touch it); never store it.

    Raises CtapError where the key refuses, TokenError where it has no such secret.
    """
    ctap = Ctap2(device)
    client = ClientPin(ctap)
    agreement, shared = client._get_shared_secret()
    salt = client.protocol.encrypt(shared, SALT)
    asked = {
        1: agreement,
        2: salt,
        3: client.protocol.authenticate(shared, salt),
        4: client.protocol.VERSION,
    }
    nothing = hashlib.sha256(b"").digest()
    found = ctap.get_assertion(
        RELYING_PARTY, nothing, _descriptors([credential]), {HMAC_SECRET: asked}
    )
    hidden = (found.auth_data.extensions or {}).get(HMAC_SECRET)
    if not hidden:
        raise TokenError(Reason.CARD_ERROR, "the FIDO2 key knows no hmac-secret")
    secret = client.protocol.decrypt(shared, hidden)
    wide = HKDF(hashes.SHA256(), 48, None, b"doorsill consent sealing").derive(secret)
    scalar = int.from_bytes(wide, "big") % (P256_ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())


def _descriptors(credentials: list[bytes]) -> list[Mapping[str, Any]]:
    return [{"type": "public-key", "id": each} for each in credentials]


def _public(key: ES256) -> ec.EllipticCurvePublicKey:
    try:
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(key[-2], "big"),
            int.from_bytes(key[-3], "big"),
            ec.SECP256R1(),
        )
        return numbers.public_key()
    except (KeyError, ValueError):
        raise TokenError(Reason.CARD_ERROR, "the FIDO2 key's point is no point") from (
            None
        )


def token_error(error: CtapError) -> TokenError:
    """What it means for consent that the key refused."""
    late = (
        CtapError.ERR.USER_ACTION_TIMEOUT,
        CtapError.ERR.KEEPALIVE_CANCEL,
        CtapError.ERR.ACTION_TIMEOUT,
    )
    if error.code in late:
        return TokenError(Reason.MISSED_BEAT, "the FIDO2 key was not touched in time")
    if error.code == CtapError.ERR.NO_CREDENTIALS:
        return TokenError(Reason.UNTRUSTED, "the FIDO2 key is not enrolled here")
    return TokenError(Reason.CARD_ERROR, f"the FIDO2 key refused: {error}")
