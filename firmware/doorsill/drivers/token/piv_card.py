"""A PIV card (NIST SP 800-73-4) of any maker: its commands, in terms of what they mean.

    9C  digital signature: wants the PIN each time; the controller's key may live there
    9E  card authentication: signs without a PIN, so it can answer every second
    9D  key management: ECDH after the PIN, so that only its holder reads an export
    9B  the management key: who has it may make keys and write certificates

P-256 only. ``PivCard`` speaks through any ``transmit``; ``piv.PivToken`` is such a card
in a reader.
"""

from __future__ import annotations

import os
import zlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError
from doorsill.drivers.token.apdu import (
    ApduError,
    Command,
    Transmit,
    exchange,
    parse_tlv,
    tlv,
)

AID = bytes.fromhex("a000000308")  # of the PIV application
# Key references
PRESENCE = 0x9E
SEALING = 0x9D
SIGNATURE = 0x9C
MANAGEMENT = 0x9B
PIN = 0x80
OBJECTS = {  # name of the object with each key's certificate
    PRESENCE: bytes.fromhex("5fc101"),
    SEALING: bytes.fromhex("5fc10b"),
    SIGNATURE: bytes.fromhex("5fc10a"),
}
P256 = 0x11  # algorithm reference
CERTIFICATE_LIMIT = 4096  # bytes, also unpacked
PACKED = 0x81  # bits of CertInfo for gzip: that of SP 800-73-4, and that of old cards
FACTORY_MANAGEMENT_KEY = bytes.fromhex("0102030405060708" * 3)
FACTORY_PIN = "123456"
BLOCK = {0x03: 8, 0x08: 16, 0x0A: 16, 0x0C: 16}  # bytes, by algorithm reference
ALGORITHMS = {24: (0x0A, 0x03), 16: (0x08,), 32: (0x0C,)}  # by length of the key


class Locked(TokenError):
    """The card needs something first: the PIN, the management key, or a touch."""


class PivCard:
    """The commands that we need. Each raises TokenError, with words for a person."""

    def __init__(self, transmit: Transmit, t0: bool) -> None:
        self._transmit, self._t0 = transmit, t0

    def select(self) -> None:
        """Choose the PIV application; another program may have chosen another."""
        self._send("the PIV application", Command(0xA4, 4, 0, AID))

    def certificate(self, slot: int) -> bytes:
        """The certificate of ``slot`` in DER, unpacked, not verified."""
        what = f"certificate {slot:X}"
        wanted = tlv(0x5C, OBJECTS[slot])
        answer = self._send(what, Command(0xCB, 0x3F, 0xFF, wanted))
        fields = self._fields(self._fields(answer, what).get(0x53, b""), what)
        found = fields.get(0x70, b"")
        if not found:
            raise TokenError(Reason.UNTRUSTED, f"slot {slot:X} has no certificate")
        if len(found) > CERTIFICATE_LIMIT:
            raise TokenError(Reason.UNTRUSTED, f"{what} is over {CERTIFICATE_LIMIT}")
        packed = fields.get(0x71, b"\0")[:1] or b"\0"
        return _unpack(found) if packed[0] & PACKED else found

    def sign(self, digest: bytes, slot: int = PRESENCE) -> bytes:
        """ECDSA of a 32-byte digest by the key of ``slot``, in DER."""
        try:
            return self._authenticate(slot, tlv(0x82, b"") + tlv(0x81, digest))
        except Locked:
            if slot != PRESENCE:
                raise
            # 9E needs no PIN (SP 800-73-4, table 4b), so it is a touch.
            raise TokenError(
                Reason.MISSED_BEAT,
                "key 9E waits for a touch, and a consent card answers every second: "
                "make its 9E key with the touch policy 'never'",
            ) from None

    def agree(self, peer_public: bytes) -> bytes:
        """ECDH of the 9D key with a point of 65 bytes: 32 bytes."""
        secret = self._authenticate(SEALING, tlv(0x82, b"") + tlv(0x85, peer_public))
        if len(secret) != 32:
            raise TokenError(Reason.CARD_ERROR, f"a secret of {len(secret)} bytes")
        return secret

    def verify_pin(self, pin: str) -> None:
        """Present the PIN; the TokenError says how many tries are left."""
        raw = pin.encode()
        if not 6 <= len(raw) <= 8 or not pin.isascii():
            raise TokenError(Reason.UNTRUSTED, "a PIN has 6 to 8 digits")
        command = Command(0x20, 0, PIN, raw.ljust(8, b"\xff"), answers=False)
        try:
            exchange(self._transmit, command, self._t0)
        except ApduError as error:
            raise TokenError(Reason.UNTRUSTED, _pin_words(error)) from None

    def authenticate(self, key: bytes) -> None:
        """Prove the management key to the card, and the card to us (mutual, 9B)."""
        if len(key) not in ALGORITHMS:
            raise TokenError(
                Reason.UNTRUSTED, f"a management key of {len(key)} bytes; 16, 24 or 32"
            )
        for algorithm in ALGORITHMS[len(key)]:
            try:
                witness = self._authenticate(
                    MANAGEMENT, tlv(0x80, b""), algorithm, answer=0x80
                )
            except TokenError as error:
                if error.reason not in (Reason.CARD_ERROR, Reason.UNTRUSTED):
                    raise
                continue  # a card has its management key in one algorithm only
            return self._prove(key, algorithm, witness)
        raise TokenError(
            Reason.UNTRUSTED, f"the card has no management key of {len(key)} bytes"
        )

    def generate(self, slot: int) -> ec.EllipticCurvePublicKey:
        """Make a P-256 key on the card; its private half never leaves it."""
        command = Command(0x47, 0, slot, tlv(0xAC, tlv(0x80, bytes((P256,)))))
        answer = self._send(f"making key {slot:X}", command)
        point = self._fields(self._fields(answer, "key").get(0x7F49, b""), "key")
        try:
            curve = ec.SECP256R1()
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, point[0x86])
        except (KeyError, ValueError, UnsupportedAlgorithm):
            raise TokenError(Reason.CARD_ERROR, "the card made no P-256 key") from None

    def put_certificate(self, slot: int, der: bytes) -> None:
        """Write the certificate of ``slot``."""
        inner = tlv(0x70, der) + tlv(0x71, b"\0") + tlv(0xFE, b"")
        data = tlv(0x5C, OBJECTS[slot]) + tlv(0x53, inner)
        what = f"writing certificate {slot:X}"
        self._send(what, Command(0xDB, 0x3F, 0xFF, data, answers=False))

    def _prove(self, key: bytes, algorithm: int, witness: bytes) -> None:
        cipher = Cipher(TripleDES(key) if algorithm == 3 else AES(key), modes.ECB())  # noqa: S305 - what SP 800-73-4 prescribes for 9B
        if len(witness) != BLOCK[algorithm]:
            raise TokenError(Reason.CARD_ERROR, f"a witness of {len(witness)} bytes")
        proof = cipher.decryptor().update(witness)
        question = os.urandom(BLOCK[algorithm])
        body = tlv(0x80, proof) + tlv(0x81, question) + tlv(0x82, b"")
        try:
            answer = self._authenticate(MANAGEMENT, body, algorithm)
        except TokenError as error:
            if error.reason is not Reason.CARD_ERROR:
                raise
            raise TokenError(Reason.UNTRUSTED, "the management key is wrong") from None
        if answer != cipher.encryptor().update(question):
            raise TokenError(Reason.UNTRUSTED, "the card has another management key")

    def _authenticate(
        self, slot: int, body: bytes, algorithm: int = P256, answer: int = 0x82
    ) -> bytes:
        what = f"key {slot:X}"
        sent = self._send(what, Command(0x87, algorithm, slot, tlv(0x7C, body)))
        found = self._fields(self._fields(sent, what).get(0x7C, b""), what)
        if not found.get(answer):
            raise TokenError(Reason.CARD_ERROR, f"{what} gave an empty answer")
        return found[answer]

    def _send(self, what: str, command: Command) -> bytes:
        try:
            return exchange(self._transmit, command, self._t0)
        except ApduError as error:
            kind = Locked if error.status == 0x6982 else TokenError
            raise kind(_reason(error), _words(what, error)) from None

    def _fields(self, data: bytes, what: str) -> dict[int, bytes]:
        try:
            return parse_tlv(data)
        except ApduError as error:
            raise TokenError(Reason.CARD_ERROR, f"{what}: {error}") from None


def _unpack(data: bytes) -> bytes:
    """Unpack a gzip certificate, up to the size that a card can hold."""
    try:
        stream = zlib.decompressobj(wbits=31)
        found = stream.decompress(data, CERTIFICATE_LIMIT + 1)
    except zlib.error:
        raise TokenError(Reason.UNTRUSTED, "the certificate is not gzip") from None
    if len(found) > CERTIFICATE_LIMIT:
        raise TokenError(Reason.UNTRUSTED, f"over {CERTIFICATE_LIMIT} bytes unpacked")
    return found


def _reason(error: ApduError) -> Reason:
    missing = (0x6A82, 0x6A88)
    return Reason.UNTRUSTED if error.status in missing else Reason.CARD_ERROR


def _words(what: str, error: ApduError) -> str:
    if not error.status:
        return f"{what}: {error}"
    words = {
        0x6982: "needs the PIN or the management key first",
        0x6983: "is blocked",
        0x6A80: "was refused: the card does not take this data",
        0x6A82: "is not on this card",
        0x6A84: "does not fit: the card is full",
        0x6A86: "is not on this card",
        0x6D00: "is not known to this card",
    }.get(error.status, str(error))
    if error.status == 0x6A82 and what.startswith("certificate"):
        words += "; has it been issued?"
    return f"{what} {words}".strip()


def _pin_words(error: ApduError) -> str:
    if error.status >> 4 == 0x63C:
        left = error.status & 0xF
        return f"the PIN is wrong; {left} {'try' if left == 1 else 'tries'} left"
    if error.status == 0x6983:
        return "the PIN is blocked; the card's PUK unblocks it"
    return f"the PIN was not taken: {error}"
