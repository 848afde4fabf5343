"""The last good policy stays, whatever is put in its place."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill import canonical
from doorsill.device.policy_store import PolicyStore
from doorsill.errors import ConfigError

CONTROLLER = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())


def body(version: int, **change: object) -> dict[str, object]:
    return {
        "format": "doorsill-policy/1", "version": version, "site": "porto-1",
        "purpose": "count", "controller": "A shop", "timezone": "UTC",
        "attributes": False, "k": 10, "epsilon_per_day": 1.0,
        "lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}],
    } | change  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> PolicyStore:
    found = PolicyStore(tmp_path / "in-force.json", CONTROLLER.public_key())
    found.apply(canonical.seal(body(3), CONTROLLER))
    return found


@pytest.mark.parametrize(
    ("document", "version"),
    [
        pytest.param(canonical.seal(body(4), CONTROLLER), 4, id="newer: taken over"),
        pytest.param(canonical.seal(body(2), CONTROLLER), 3, id="older: refused"),
        pytest.param(canonical.seal(body(4), STRANGER), 3, id="stranger: refused"),
        pytest.param(canonical.seal(body(4, k=2), CONTROLLER), 3, id="k = 2: refused"),
        pytest.param(
            canonical.seal(body(4, site="x"), CONTROLLER), 3, id="other site: refused"
        ),
        pytest.param(b"{}", 3, id="no policy at all: refused"),
        pytest.param(None, 3, id="no file: the last good one"),
    ],
)
def test_take_over_keeps_the_last_good_one(
    store: PolicyStore, tmp_path: Path, document: bytes | None, version: int
) -> None:
    candidate = tmp_path / "policy.json"
    if document is not None:
        candidate.write_bytes(document)
    assert store.take_over(candidate).version == version
    assert store.load().version == version


def test_taking_over_the_same_again_says_nothing(
    store: PolicyStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    same = tmp_path / "policy.json"
    same.write_bytes((tmp_path / "in-force.json").read_bytes())
    with caplog.at_level(logging.WARNING):
        assert store.take_over(same).version == 3
    assert caplog.records == []


def test_a_refusal_is_logged_with_its_reason(
    store: PolicyStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    candidate = tmp_path / "policy.json"
    candidate.write_bytes(canonical.seal(body(4, k=2), CONTROLLER))
    store.take_over(candidate)
    assert "k = 2 is below the minimum of 10" in caplog.text


def test_a_device_without_any_policy_does_nothing(tmp_path: Path) -> None:
    empty = PolicyStore(tmp_path / "in-force.json", CONTROLLER.public_key())
    with pytest.raises(ConfigError, match="no policy is in force"):
        empty.take_over(tmp_path / "policy.json")
