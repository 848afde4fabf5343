"""What a key leaves behind: nothing, also not what a library gave on the way."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from limits import END_S

from doorsill.errors import UntrustedError
from doorsill.process.locked import LockedMemory
from doorsill.vault import sealing
from doorsill.vault.sealing import DataKey, new_key_id, unwrap

CARD = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Holds what passes through the derivation, as a debugger would."""
    found: dict[str, Any] = {}
    derive: Callable[..., None] = sealing._derive

    def noted(shared: bytes, key_id: str, into: LockedMemory) -> None:
        found["shared"], found["was"] = shared, bytes(shared).hex()
        derive(shared, key_id, into)
        found["wrapping"] = into

    monkeypatch.setattr(sealing, "_derive", noted)
    return found


def test_the_shared_secret_is_wiped_and_the_wrapping_key_given_back(
    kept: dict[str, Any],
) -> None:
    key = DataKey(new_key_id())
    wrapped = key.wrap(CARD.public_key())
    assert len(kept["was"]) == 64 and kept["was"] != "00" * 32  # the control
    assert kept["shared"] == bytes(32)
    assert kept["wrapping"]._map.closed
    key.destroy()

    point = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), wrapped.ephemeral
    )
    shared = CARD.exchange(ec.ECDH(), point)
    assert shared.hex() == kept["was"]
    unwrap(wrapped, shared)
    assert shared == bytes(32) and kept["wrapping"]._map.closed


def test_a_destroyed_key_says_when_and_is_nought() -> None:
    key, begun = DataKey(new_key_id()), time.monotonic()
    memory = key._memory
    assert key.destroyed_at is None and any(memory.view)
    key.destroy()
    assert key.destroyed_at is not None
    assert begun <= key.destroyed_at <= begun + END_S
    first = key.destroyed_at
    key.destroy()
    assert key.destroyed_at == first and memory._map.closed
    for act in (lambda: key.seal(b"", b""), lambda: key.wrap(CARD.public_key())):
        with pytest.raises(UntrustedError, match="the data key is destroyed"):
            act()
