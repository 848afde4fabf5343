"""The last good policy stays, with anything put in its place."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.documents import canonical
from doorsill.errors import ConfigError, UntrustedError
from doorsill.policy.document import Place
from doorsill.policy.store import PolicyStore

CONTROLLER = ec.generate_private_key(ec.SECP256R1())
HERE = Place("porto-1", "cam-01")
HOURS = [{"days": ["mon"], "opens": "09:00", "closes": "20:00"}]
STRANGER = ec.generate_private_key(ec.SECP256R1())


def body(version: int, **change: object) -> dict[str, object]:
    return {
        "format": "doorsill-policy/1", "version": version, "site": "porto-1",
        "purpose": "count", "controller": "A shop", "timezone": "UTC",
        "attributes": False, "k": 10, "epsilon_per_day": 1.0,
        "lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}],
    } | change  # fmt: skip


def put(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


@pytest.fixture
def store(tmp_path: Path) -> PolicyStore:
    found = PolicyStore(tmp_path / "in-force.json", CONTROLLER.public_key(), HERE)
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
    empty = PolicyStore(tmp_path / "in-force.json", CONTROLLER.public_key(), HERE)
    with pytest.raises(ConfigError, match="no policy is in force"):
        empty.take_over(tmp_path / "policy.json")


IN_FORCE = canonical.seal(body(9), CONTROLLER)
OVER = canonical.seal(body(9, timezone="Mars/Base", hours=HOURS), CONTROLLER)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


LOCKED_OUT: list[tuple[str, Callable[[Path], object], int]] = [
    ("another site's", put(canonical.seal(body(9, site="x"), CONTROLLER)), 1),
    ("other devices'", put(canonical.seal(body(9, devices=["b"]), CONTROLLER)), 1),
    ("a controller's of before", put(canonical.seal(body(9), STRANGER)), 1),
    (
        "one bit fell",
        put(IN_FORCE[:99] + bytes([IN_FORCE[99] ^ 1]) + IN_FORCE[100:]),
        1,
    ),
    ("cut short", put(IN_FORCE[:-1]), 1),
    ("empty", put(b""), 1),
    ("zeros", put(bytes(4096)), 1),
    (
        "a version in words",
        put(canonical.seal(body(9) | {"version": "9"}, CONTROLLER)),
        1,
    ),
    (
        "a version of truth",
        put(canonical.seal(body(9) | {"version": True}, CONTROLLER)),
        1,
    ),
    ("devices in words", put(canonical.seal(body(9, devices="cam-01"), CONTROLLER)), 1),
    ("a pipe", fifo, 1),
    ("2 GiB", huge, 1),
    ("a zone that is gone here", put(OVER), 10),
    ("a floor that rose", put(canonical.seal(body(9, k=2), CONTROLLER)), 10),
    ("an option of later", put(canonical.seal(body(9, later=1), CONTROLLER)), 10),
    ("a format of later", put(canonical.seal(body(9, format="z"), CONTROLLER)), 10),
]


@pytest.mark.parametrize(
    ("spoil", "version"), [c[1:] for c in LOCKED_OUT], ids=[c[0] for c in LOCKED_OUT]
)
def test_what_is_in_force_never_keeps_a_valid_policy_out(
    store: PolicyStore, tmp_path: Path, spoil: Callable[[Path], object], version: int
) -> None:
    """``version`` is the first that is taken: a signed one's number still counts."""
    spoil(tmp_path / "in-force.json")
    with pytest.raises((ConfigError, UntrustedError), match=r"in-force\.json"):
        store.load()
    candidate = tmp_path / "policy.json"
    if version > 1:
        candidate.write_bytes(canonical.seal(body(version - 1), CONTROLLER))
        with pytest.raises((ConfigError, UntrustedError)):
            store.take_over(candidate)
    candidate.write_bytes(canonical.seal(body(version), CONTROLLER))
    assert store.take_over(candidate).version == version
    assert store.load().version == version


@pytest.mark.parametrize("change", [{"site": "x"}, {"devices": ["cam-02"]}])
def test_the_first_policy_is_this_devices_or_none(
    tmp_path: Path, change: dict[str, object]
) -> None:
    store = PolicyStore(tmp_path / "in-force.json", CONTROLLER.public_key(), HERE)
    candidate = tmp_path / "policy.json"
    candidate.write_bytes(canonical.seal(body(1, **change), CONTROLLER))
    with pytest.raises(UntrustedError, match=r"policy\.json: the policy is for"):
        store.take_over(candidate)
    assert not (tmp_path / "in-force.json").exists()
    candidate.write_bytes(canonical.seal(body(1, devices=["a", "cam-01"]), CONTROLLER))
    assert store.take_over(candidate).devices == ("a", "cam-01")


def test_what_a_power_cut_left_of_a_write_is_in_nobodys_way(
    store: PolicyStore, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "in-force.json.new")
    assert store.apply(canonical.seal(body(4), CONTROLLER)).version == 4
