"""A virtual PIV card: the fake that ships beside ``piv.py``; tests drive it.

It keeps the rules of a real one (SP 800-73-4): keys are made inside, certificates are
written after the management key only, 9D wants the PIN, long things come in chains,
and at T=0 nothing goes both ways in one command. ``trouble`` makes it misbehave.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from doorsill.drivers.token.apdu import ApduError, parse_tlv, tlv
from doorsill.drivers.token.piv_card import (
    AID,
    BLOCK,
    FACTORY_MANAGEMENT_KEY,
    FACTORY_PIN,
    MANAGEMENT,
    OBJECTS,
    P256,
    PIN,
    PRESENCE,
    SEALING,
    SIGNATURE,
)

# Answers to reset, by protocol
ATR_T0 = bytes.fromhex("3b6500005643415244")
ATR_T1 = bytes.fromhex("3b800181")
OBJECT_LIMIT = 3072  # bytes, as on real cards
PIN_TRIES = 3  # wrong PINs that block the card

Key = ec.EllipticCurvePrivateKey
Trouble = Callable[[bytes, bytes], "bytes | None"]


class _Refusal(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@dataclass
class VirtualCard:
    """One card; ``power_on`` and ``transmit`` are all that a reader does with it.

    ``trouble`` takes each command and its answer, and gives the answer to send
    instead, or None to pull the card before it answers.
    """

    t0: bool = False
    pin: str = FACTORY_PIN
    management_key: bytes = FACTORY_MANAGEMENT_KEY
    algorithm: int = 0x03  # of the management key: 3 TDES, 8/A/C AES-128/192/256
    trouble: Trouble | None = None
    keys: dict[int, Key] = field(default_factory=dict)
    objects: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tries = PIN_TRIES
        self.power_on()

    @property
    def atr(self) -> bytes:
        """Answer to reset: which protocol it speaks."""
        return ATR_T0 if self.t0 else ATR_T1

    def power_on(self) -> None:
        """As after an insertion: nothing chosen, nothing proven."""
        self._selected = self._admin = self._pin_given = False
        self._chain = self._rest = self._witness = b""

    def load(self, slot: int, key: Key, certificate: bytes) -> None:
        """Put a key and its certificate in, as a factory would."""
        self.keys[slot] = key
        self.objects[OBJECTS[slot]] = (
            tlv(0x70, certificate) + tlv(0x71, b"\0") + tlv(0xFE, b"")
        )

    def clone(self) -> VirtualCard:
        """What a thief can copy: every certificate, and other keys."""
        keys = {slot: ec.generate_private_key(ec.SECP256R1()) for slot in self.keys}
        return VirtualCard(self.t0, keys=keys, objects=dict(self.objects))

    def transmit(self, apdu: bytes) -> bytes | None:
        """The answer to one command; None means that the card is gone."""
        answer = self._answer(apdu)
        return answer if self.trouble is None else self.trouble(apdu, answer)

    def _answer(self, apdu: bytes) -> bytes:
        try:
            return self._command(apdu)
        except _Refusal as refusal:
            self._chain = self._rest = b""
            return refusal.status.to_bytes(2, "big")
        except (ApduError, KeyError, ValueError):
            return b"\x6a\x80"

    def _command(self, apdu: bytes) -> bytes:
        if len(apdu) < 4:
            raise _Refusal(0x6700)
        cla, instruction, p1, p2 = apdu[:4]
        data = self._data(apdu)
        if instruction == 0xC0:
            return self._give(self._rest, fetched=True)
        if cla & 0x10:
            self._chain += data
            return b"\x90\x00"
        data, self._chain = self._chain + data, b""
        if instruction == 0xA4:
            return self._give(self._select(data))
        if not self._selected:
            raise _Refusal(0x6985)
        work = {
            0xCB: self._get,
            0xDB: self._put,
            0x87: self._authenticate,
            0x47: self._generate,
            0x20: self._verify,
        }.get(instruction)
        if work is None:
            raise _Refusal(0x6D00)
        return self._give(work(p1, p2, data))

    def _data(self, apdu: bytes) -> bytes:
        if len(apdu) <= 5:
            return b""
        size = apdu[4]
        extra = len(apdu) - 5 - size
        if extra not in (0, 1) or (self.t0 and extra):
            raise _Refusal(0x6700)  # T=0 has no way to carry Le behind data
        return apdu[5 : 5 + size]

    def _give(self, data: bytes, fetched: bool = False) -> bytes:
        """At most 256 bytes at once; at T=0 none before they are fetched."""
        room = 0 if self.t0 and data and not fetched else 256
        self._rest = data[room:]
        left = min(len(self._rest), 256)
        return data[:room] + (bytes((0x61, left & 0xFF)) if left else b"\x90\x00")

    def _select(self, aid: bytes) -> bytes:
        if not aid or not AID.startswith(aid[: len(AID)]):
            raise _Refusal(0x6A82)
        self._selected, self._admin = True, False
        version = tlv(0x4F, bytes.fromhex("000010000100"))
        return tlv(0x61, version + tlv(0x79, tlv(0x4F, AID)))

    def _get(self, p1: int, p2: int, data: bytes) -> bytes:
        name = parse_tlv(data)[0x5C]
        if name not in self.objects:
            raise _Refusal(0x6A82)
        return tlv(0x53, self.objects[name])

    def _put(self, p1: int, p2: int, data: bytes) -> bytes:
        if not self._admin:
            raise _Refusal(0x6982)
        fields = parse_tlv(data)
        if len(fields[0x53]) > OBJECT_LIMIT:
            raise _Refusal(0x6A84)
        self.objects[fields[0x5C]] = fields[0x53]
        return b""

    def _generate(self, p1: int, slot: int, data: bytes) -> bytes:
        if not self._admin:
            raise _Refusal(0x6982)
        if slot not in OBJECTS or parse_tlv(parse_tlv(data)[0xAC])[0x80][0] != P256:
            raise _Refusal(0x6A86)
        key = self.keys[slot] = ec.generate_private_key(ec.SECP256R1())
        encoding, form = (
            serialization.Encoding.X962,
            serialization.PublicFormat.UncompressedPoint,
        )
        return tlv(0x7F49, tlv(0x86, key.public_key().public_bytes(encoding, form)))

    def _verify(self, p1: int, reference: int, data: bytes) -> bytes:
        if reference != PIN:
            raise _Refusal(0x6A88)
        if self._tries == 0:
            raise _Refusal(0x6983)
        if data.rstrip(b"\xff") != self.pin.encode():
            self._tries -= 1
            raise _Refusal(0x63C0 | self._tries if self._tries else 0x6983)
        self._tries, self._pin_given = PIN_TRIES, True
        return b""

    def _authenticate(self, algorithm: int, slot: int, data: bytes) -> bytes:
        fields = parse_tlv(parse_tlv(data)[0x7C])
        if slot == MANAGEMENT:
            return tlv(0x7C, self._mutual(algorithm, fields))
        if algorithm != P256 or slot not in self.keys:
            raise _Refusal(0x6A86)
        if slot in (PRESENCE, SIGNATURE) and len(fields[0x81]) == 32:
            if slot == SIGNATURE and not self._pin_given:
                raise _Refusal(0x6982)
            if slot == SIGNATURE:  # the PIN is for one signature
                self._pin_given = False
            scheme = ec.ECDSA(Prehashed(hashes.SHA256()))
            return tlv(0x7C, tlv(0x82, self.keys[slot].sign(fields[0x81], scheme)))
        if slot == SEALING and 0x85 in fields:
            return tlv(0x7C, tlv(0x82, self._agree(fields[0x85])))
        raise _Refusal(0x6A80)

    def _agree(self, point: bytes) -> bytes:
        if not self._pin_given:
            raise _Refusal(0x6982)
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        return self.keys[SEALING].exchange(ec.ECDH(), peer)

    def _mutual(self, algorithm: int, fields: dict[int, bytes]) -> bytes:
        if algorithm != self.algorithm:
            raise _Refusal(0x6A86)
        kind = TripleDES if algorithm == 3 else AES
        cipher = Cipher(kind(self.management_key), modes.ECB())  # noqa: S305 - what SP 800-73-4 prescribes for 9B
        if 0x81 not in fields:
            self._witness = os.urandom(BLOCK[algorithm])
            return tlv(0x80, cipher.encryptor().update(self._witness))
        expected, self._witness = self._witness, b""
        if not expected or fields[0x80] != expected:
            raise _Refusal(0x6982)
        self._admin = True
        return tlv(0x82, cipher.encryptor().update(fields[0x81]))
