"""A FIDO2 key in software (CTAP 2.1): the fake beside ``fido.py``; tests drive it.

``touched`` is the finger, ``present`` the port; ``trouble`` changes what it answers.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.ctap import STATUS, CtapDevice, CtapError
from fido2.ctap2.pin import PinProtocolV1
from fido2.hid import CAPABILITY

# Commands
MAKE_CREDENTIAL = 1
GET_ASSERTION = 2
GET_INFO = 4
CLIENT_PIN = 6
# Flags of authenticator data
PRESENT = 0x01
ATTESTED = 0x40
EXTENDED = 0x80
AAGUID = b"doorsill-virtual"


class VirtualKey(CtapDevice):
    """One key; its credentials live as long as it does."""

    capabilities = int(CAPABILITY.CBOR)

    def __init__(self) -> None:
        self.present = True
        self.touched = True
        self.trouble: Callable[[bytes], bytes] | None = None
        self.counter = 0
        self._keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}
        self._secrets: dict[bytes, bytes] = {}
        self._agreement = ec.generate_private_key(ec.SECP256R1())

    @classmethod
    def list_devices(cls) -> Iterator[CtapDevice]:
        """None: only :meth:`plug` plugs it in."""
        return iter(())

    def plug(self) -> Mapping[str, Callable[[], CtapDevice]]:
        """What a finder sees while the key is in."""
        return {"virtual": lambda: self} if self.present else {}

    def call(
        self,
        cmd: int,
        data: bytes = b"",
        event: Event | None = None,
        on_keepalive: Callable[[STATUS], None] | None = None,
    ) -> bytes:
        """One CTAP2 command."""
        if not self.present:
            raise OSError(19, "No such device")
        body: dict[int, Any] = cbor.decode(data[1:]) if len(data) > 1 else {}  # type: ignore[assignment]
        answer = b"\0" + cbor.encode(self._do(data[0], body))
        return answer if self.trouble is None else self.trouble(answer)

    def _do(self, command: int, body: dict[int, Any]) -> dict[int, Any]:
        if command == GET_INFO:
            options = {"rk": False, "up": True}
            return {1: ["FIDO_2_0"], 2: ["hmac-secret"], 3: AAGUID, 4: options, 6: [1]}
        if command == CLIENT_PIN:
            return {1: dict(ES256.from_cryptography_key(self._agreement.public_key()))}
        if command == MAKE_CREDENTIAL:
            return self._make(body)
        if command == GET_ASSERTION:
            return self._assert(body)
        raise CtapError(CtapError.ERR.INVALID_COMMAND)

    def _make(self, body: dict[int, Any]) -> dict[int, Any]:
        self._touch()
        key, credential = ec.generate_private_key(ec.SECP256R1()), os.urandom(32)
        self._keys[credential], self._secrets[credential] = key, os.urandom(32)
        public = cbor.encode(dict(ES256.from_cryptography_key(key.public_key())))
        data = self._data(body[2]["id"], PRESENT | ATTESTED) + AAGUID
        data += len(credential).to_bytes(2, "big") + credential + public
        return {1: "none", 2: data, 3: {}}

    def _assert(self, body: dict[int, Any]) -> dict[int, Any]:
        asked = [each["id"] for each in body[3]]
        mine = next((each for each in asked if each in self._keys), None)
        if mine is None:
            raise CtapError(CtapError.ERR.NO_CREDENTIALS)
        flags, extra = 0, b""
        if body.get(5, {}).get("up", True):
            self._touch()
            flags = PRESENT
        if secret := body.get(4, {}).get("hmac-secret"):
            flags |= EXTENDED
            extra = cbor.encode({"hmac-secret": self._hide(mine, secret)})
        self.counter += 1
        data = self._data(body[1], flags) + extra
        scheme = ec.ECDSA(hashes.SHA256())
        signature = self._keys[mine].sign(data + body[2], scheme)
        return {1: {"id": mine, "type": "public-key"}, 2: data, 3: signature}

    def _hide(self, credential: bytes, asked: dict[int, Any]) -> bytes:
        protocol = PinProtocolV1()
        peer = ES256(asked[1])
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(peer[-2], "big"),
            int.from_bytes(peer[-3], "big"),
            ec.SECP256R1(),
        )
        agreed = self._agreement.exchange(ec.ECDH(), numbers.public_key())
        shared = protocol.kdf(agreed)
        if protocol.authenticate(shared, asked[2]) != asked[3]:
            raise CtapError(CtapError.ERR.EXTENSION_FIRST)
        salt = protocol.decrypt(shared, asked[2])
        secret = hmac.digest(self._secrets[credential], salt, "sha256")
        return bytes(protocol.encrypt(shared, secret))

    def _data(self, relying_party: str, flags: int) -> bytes:
        name = hashlib.sha256(relying_party.encode()).digest()
        return name + bytes((flags,)) + self.counter.to_bytes(4, "big")

    def _touch(self) -> None:
        if not self.touched:
            raise CtapError(CtapError.ERR.USER_ACTION_TIMEOUT)
