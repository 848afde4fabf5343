"""What a key leaves behind: nothing, also not what a library gave on the way."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from limits import END_S
from locking import is_given_back, keep_memories

from doorsill.errors import UntrustedError
from doorsill.process.locked import LockedMemory
from doorsill.vault import sealing
from doorsill.vault.sealing import DataKey, new_key_id, unwrap

CARD = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Holds what passes through the derivation, as a debugger would."""
    found: dict[str, Any] = {}

    class Noted:
        """In the place of HKDF."""

        def __init__(self, *settings: Any) -> None:
            self._inner = HKDF(*settings)

        def derive_into(self, shared: bytes, into: memoryview) -> None:
            found["shared"], found["was"] = shared, bytes(shared).hex()
            self._inner.derive_into(shared, into)

    monkeypatch.setattr(sealing, "HKDF", Noted)
    return found


@pytest.fixture
def memories(monkeypatch: pytest.MonkeyPatch) -> list[LockedMemory]:
    """All locked memory that is made on the way."""
    return keep_memories(monkeypatch, sealing)


def test_the_shared_secret_is_wiped_and_the_wrapping_key_given_back(
    kept: dict[str, Any], memories: list[LockedMemory]
) -> None:
    key = DataKey(new_key_id())
    wrapped = key.wrap(CARD.public_key())
    assert len(kept["was"]) == 64 and kept["was"] != "00" * 32  # the control
    assert kept["shared"] == bytes(32)
    assert [is_given_back(each) for each in memories] == [False, True]
    key.destroy()

    point = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), wrapped.ephemeral
    )
    shared = CARD.exchange(ec.ECDH(), point)
    assert shared.hex() == kept["was"]
    unwrap(wrapped, shared)
    assert shared == bytes(32)
    assert len(memories) == 4 and all(is_given_back(each) for each in memories)


def test_a_destroyed_key_says_when_and_is_nought(memories: list[LockedMemory]) -> None:
    key, begun = DataKey(new_key_id()), time.monotonic()
    (memory,) = memories
    assert key.destroyed_at is None and any(memory.view)
    key.destroy()
    assert key.destroyed_at is not None
    assert begun <= key.destroyed_at <= begun + END_S
    first = key.destroyed_at
    key.destroy()
    assert key.destroyed_at == first and is_given_back(memory)
    for act in (lambda: key.seal(b"", b""), lambda: key.wrap(CARD.public_key())):
        with pytest.raises(UntrustedError, match="the data key is destroyed"):
            act()
