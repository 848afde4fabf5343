"""The session's key: random, in locked memory, used there and destroyed there.

    data key ── AES-256-GCM ──► records on the medium
       └── wrapped: AES-256-GCM under HKDF(ECDH(ephemeral, card's 9D)) ──► an export

Sources: NIST SP 800-38D (a counter as nonce, under a key of one session), RFC 5869.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from doorsill.documents.canonical import PublicKey
from doorsill.errors import UntrustedError
from doorsill.process.locked import LockedMemory, wipe

KEY_BYTES = 32  # of AES-256
NONCE_BYTES = 12  # of AES-GCM
TAG_BYTES = 16  # of AES-GCM
WRAP_INFO = b"doorsill vault wrap 1"  # HKDF info: what the derived key is for


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key that only the card's 9D key can unwrap."""

    key_id: str
    ephemeral: bytes  # P-256 point, 65 bytes: what the card agrees with
    nonce: bytes
    wrapped: bytes


class DataKey:
    """One session's key; ``destroy`` leaves nothing of it.

    The thread that first hears that the card is gone destroys it. That thread waits for
    the work on one crop in memory at most: no disk is touched here.
    """

    def __init__(self, key_id: str) -> None:
        """``key_id``, from :func:`new_key_id`, names the key in certificates."""
        self._memory = LockedMemory(KEY_BYTES)
        self._memory.fill_random()
        self._cipher: AESGCM | None = AESGCM(self._memory.view)
        self._count = 0
        self._at_work = threading.Lock()
        self._ends = False  # no work begins any more
        self.key_id = key_id
        self.destroyed_at: float | None = None  # monotonic s

    def seal(self, plain: memoryview | bytes, context: bytes) -> bytes:
        """Encrypt ``plain``, bound to ``context``; nonce, ciphertext and tag in a row.

        Raises UntrustedError if the key is destroyed.
        """
        with self._at_work:
            cipher = self._alive()
            nonce = self._count.to_bytes(NONCE_BYTES, "big")
            self._count += 1
            return nonce + cipher.encrypt(nonce, plain, self._bound(context))

    def holds(self, record: bytes, context: bytes) -> bool:
        """Whether ``record`` is still what was sealed; the plain text is wiped.

        Raises UntrustedError if the key is destroyed.
        """
        size = max(1, len(record) - NONCE_BYTES - TAG_BYTES)
        with self._at_work, LockedMemory(size) as plain:
            nonce, sealed = record[:NONCE_BYTES], record[NONCE_BYTES:]
            cipher, bound = self._alive(), self._bound(context)
            try:
                cipher.decrypt_into(nonce, sealed, bound, plain.view)
            except (InvalidTag, ValueError):
                return False
            return True

    def wrap(self, card: PublicKey) -> WrappedKey:
        """This key, encrypted so that only the private half of ``card`` opens it.

        Raises UntrustedError if the key is destroyed.
        """
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        shared = ephemeral.exchange(ec.ECDH(), card)
        nonce, bound = os.urandom(NONCE_BYTES), bytes.fromhex(self.key_id)
        with self._at_work, LockedMemory(KEY_BYTES) as wrapping:
            _derive(shared, self.key_id, wrapping)
            self._alive()
            wrapped = AESGCM(wrapping.view).encrypt(nonce, self._memory.view, bound)
        point = ephemeral.public_key().public_bytes(
            serialization.Encoding.X962,
            serialization.PublicFormat.UncompressedPoint,
        )
        return WrappedKey(self.key_id, point, nonce, wrapped)

    def destroy(self) -> None:
        """Overwrite the key with zeros, once the work that has begun is done.

        No other work begins meanwhile: a lock may go to whoever had it last, again and
        again, and a flood of crops would put this off. OpenSSL overwrites its own
        expanded key when the cipher object is freed.
        """
        self._ends = True
        with self._at_work:
            self._wipe()

    def _wipe(self) -> None:
        self._cipher = None
        self._memory.close()
        if self.destroyed_at is None:
            self.destroyed_at = time.monotonic()

    def _alive(self) -> AESGCM:
        if self._ends or self._cipher is None:
            self._wipe()  # the thread that destroys may still wait for the lock
            raise UntrustedError("the data key is destroyed")
        return self._cipher

    def _bound(self, context: bytes) -> bytes:
        return bytes.fromhex(self.key_id) + context


def new_key_id() -> str:
    """A random name for a key, 32 hexadecimal digits: it says nothing of the key."""
    return os.urandom(16).hex()


def unwrap(wrapped: WrappedKey, shared: bytes) -> AESGCM:
    """The cipher of an export; ``shared`` is what the card's 9D key agreed on.

    Raises UntrustedError if the export was sealed to another card.
    """
    with LockedMemory(KEY_BYTES) as wrapping, LockedMemory(KEY_BYTES) as key:
        _derive(shared, wrapped.key_id, wrapping)
        try:
            AESGCM(wrapping.view).decrypt_into(
                wrapped.nonce, wrapped.wrapped, bytes.fromhex(wrapped.key_id), key.view
            )
        except (InvalidTag, ValueError):
            raise UntrustedError("this card is not the one it was sealed to") from None
        return AESGCM(key.view)


def _derive(shared: bytes, key_id: str, into: LockedMemory) -> None:
    info = WRAP_INFO + bytes.fromhex(key_id)
    HKDF(hashes.SHA256(), KEY_BYTES, None, info).derive_into(shared, into.view)
    wipe(shared)
