"""What came by air is in force or refused by its word, and the last good one stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from children import DIES_AT
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policies import BODY

from doorsill.documents import canonical
from doorsill.errors import ConfigError
from doorsill.policy import arrival, store
from doorsill.policy.arrival import decide
from doorsill.policy.document import Place, Policy
from doorsill.policy.store import PolicyStore
from doorsill.policy.verdict import IN_FORCE, Verdict, digest_of, read_verdict
from doorsill.wire.messages import POLICY_LARGEST_BYTES, REFUSALS

CONTROLLER = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
HERE = Place("porto-1", "cam-01")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()


def signed(key: canonical.PrivateKey = CONTROLLER, **changes: Any) -> bytes:
    """A document that may come after BODY, changed; ``...`` takes a key away."""
    body = BODY | {"version": 5} | changes
    return canonical.seal({k: v for k, v in body.items() if v is not ...}, key)


@dataclass
class Desk:
    """The policy process's folder and the uplink's, in one place."""

    folder: Path
    now: float = NOW

    @property
    def arrived(self) -> Path:
        return self.folder / "arrived.json"

    @property
    def verdict(self) -> Path:
        return self.folder / "verdict"

    @property
    def in_force(self) -> Path:
        return self.folder / "in-force.json"

    def store(self) -> PolicyStore:
        key = CONTROLLER.public_key()
        return PolicyStore(self.in_force, key, HERE, lambda: self.now)

    def decide(self, document: bytes) -> Verdict | None:
        self.arrived.write_bytes(document)
        decide(self.store(), self.arrived, self.verdict, self.now)
        return read_verdict(self.verdict)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path)
    found.store().apply(canonical.seal(BODY, CONTROLLER))
    return found


GOOD = signed()
LARGE = signed(consent=BODY["consent"] | {"revoked": [f"{n:040x}" for n in range(380)]})
REFUSED = [
    ("rollback", signed(version=4, purpose="another"), "the same version"),
    ("rollback", signed(version=1), "an older version"),
    ("other_site", signed(site="braga"), "of another site"),
    ("other_device", signed(devices=["cam-02"]), "of another device"),
    ("signature", signed(STRANGER), "of another signer"),
    ("signature", GOOD.replace(b'"version":5', b'"version":6'), "one digit altered"),
    ("signature", GOOD[:-1], "cut by a byte"),
    ("signature", GOOD + b"\n", "with a line end"),
    ("signature", b"\0", "a zero"),
    ("signature", os.urandom(500), "rubbish"),
    ("signature", b"[" * POLICY_LARGEST_BYTES, "16 KiB of brackets"),
    ("signature", canonical.encode({"signature": "", "signed": BODY}), "unsigned"),
    ("incomplete", signed(k=2), "below a floor"),
    ("incomplete", signed(colour="red"), "an unknown key"),
    ("incomplete", signed(purpose=...), "a key is missing"),
    ("incomplete", signed(expires="2027-02-30"), "expires on no day"),
    ("expired", signed(expires="2026-11-28"), "it ended yesterday"),
]


@pytest.mark.parametrize(
    ("word", "document"), [each[:2] for each in REFUSED], ids=[e[2] for e in REFUSED]
)
def test_what_is_refused_is_named_and_changes_nothing(
    desk: Desk, word: str, document: bytes
) -> None:
    before = desk.in_force.read_bytes()
    verdict = desk.decide(document)
    assert verdict is not None
    assert (verdict.word, verdict.digest) == (word, digest_of(document))
    assert desk.in_force.read_bytes() == before


def test_every_word_has_its_case() -> None:
    assert {each[0] for each in REFUSED} | {"too_large"} == set(REFUSALS)


def test_what_is_good_is_in_force_and_the_verdict_says_when(desk: Desk) -> None:
    verdict = desk.decide(GOOD)
    assert verdict is not None and (verdict.word, verdict.utc) == (IN_FORCE, int(NOW))
    assert desk.in_force.read_bytes() == GOOD
    assert desk.store().load().version == 5


def test_too_large_is_refused_by_hash(desk: Desk) -> None:
    assert POLICY_LARGEST_BYTES < len(LARGE) < 18_000
    verdict = desk.decide(LARGE)
    assert verdict is not None and verdict.word == "too_large"
    assert verdict.digest == digest_of(LARGE)
    assert desk.store().load().version == 4
    assert desk.store().apply(LARGE).version == 5  # by hand it may be as large


def test_the_last_day_is_a_day_of_the_shop(desk: Desk) -> None:
    document = signed(expires="2026-11-29", timezone="Pacific/Auckland")
    desk.now = datetime(2026, 11, 29, 11, 30, tzinfo=UTC).timestamp()  # the 30th there
    refused = desk.decide(document)
    assert refused is not None and refused.word == "expired"
    desk.now -= 3600.0
    verdict = desk.decide(document)
    assert verdict is not None and verdict.word == IN_FORCE


def test_one_in_force_that_expires_stays(desk: Desk) -> None:
    desk.decide(signed(expires="2026-11-29"))
    desk.now += 400 * 86_400.0
    assert desk.store().load().version == 5
    again = desk.decide(signed(expires="2026-11-29"))
    assert again is not None and again.word == IN_FORCE


def test_another_signature_of_the_same_is_in_force_already(desk: Desk) -> None:
    desk.decide(GOOD)
    again = signed()
    assert again != GOOD
    verdict = desk.decide(again)
    assert verdict is not None
    assert (verdict.word, verdict.digest) == (IN_FORCE, digest_of(again))
    assert desk.in_force.read_bytes() == GOOD


def test_it_is_no_policy_of_ours_because_the_same_lies_in_force(desk: Desk) -> None:
    """What lies in force counts as none where it is of another site."""
    document = signed(site="braga")
    desk.in_force.write_bytes(document)
    verdict = desk.decide(document)
    assert verdict is not None and verdict.word == "other_site"


def test_the_same_again_writes_nothing(desk: Desk) -> None:
    first = desk.decide(signed(version=1))
    before = desk.verdict.stat()
    desk.now += 1000
    assert desk.decide(desk.arrived.read_bytes()) == first
    assert desk.verdict.stat().st_mtime_ns == before.st_mtime_ns


def test_what_comes_while_one_is_decided_is_decided_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = signed(version=6)

    def slow(self: PolicyStore, candidate: bytes) -> Any:
        if candidate == GOOD:
            desk.arrived.write_bytes(newer)
        return consider(self, candidate)

    consider = PolicyStore.consider
    monkeypatch.setattr(PolicyStore, "consider", slow)
    verdict = desk.decide(GOOD)
    assert verdict is not None and verdict.digest == digest_of(newer)
    assert desk.store().load().version == 6


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: None, id="nothing has come"),
        pytest.param(lambda path: path.write_bytes(b""), id="an empty file"),
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(lambda path: path.mkdir(), id="a folder"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="an endless device"),
    ],
)
def test_what_is_no_file_is_left_alone(
    desk: Desk, spoil: Callable[[Path], object]
) -> None:
    spoil(desk.arrived)
    decide(desk.store(), desk.arrived, desk.verdict, NOW)
    assert read_verdict(desk.verdict) is None
    assert desk.store().load().version == 4


@pytest.mark.parametrize("failing", ["the policy in force", "the verdict"])
def test_a_disk_that_takes_nothing_is_an_error_and_the_next_run_answers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise ConfigError(f"cannot write {path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(
            store if failing == "the policy in force" else arrival, "put", full
        )
        with pytest.raises(ConfigError, match="No space left"):
            desk.decide(GOOD)
        assert read_verdict(desk.verdict) is None
    verdict = desk.decide(GOOD)
    assert verdict is not None and verdict.word == IN_FORCE
    assert desk.store().load().version == 5


PROGRAM = (
    DIES_AT
    + """
from doorsill.policy import arrival, store
from doorsill.policy.document import Place
place = Place("porto-1", "cam-01")
key = store.read_public_key(folder / "controller.pem")
arrival.decide(store.PolicyStore(folder / "in-force.json", key, place),
               folder / "arrived.json", folder / "verdict", 0.0)
print("done")
"""
)


def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_the_next_run_ends_it(
    desk: Desk,
) -> None:
    public = store.serialization.PublicFormat.SubjectPublicKeyInfo
    pem = CONTROLLER.public_key().public_bytes(store.serialization.Encoding.PEM, public)
    (desk.folder / "controller.pem").write_bytes(pem)
    old, killed = desk.in_force.read_bytes(), 0
    for at in range(1, 60):
        desk.in_force.write_bytes(old)
        desk.verdict.unlink(missing_ok=True)
        desk.arrived.write_bytes(GOOD)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(desk.folder), str(at)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert desk.in_force.read_bytes() in (old, GOOD)
        said = read_verdict(desk.verdict)
        assert said is None or (
            said.word == IN_FORCE and desk.store().load().version == 5
        )
        verdict = desk.decide(GOOD)
        assert verdict is not None and verdict.word == IN_FORCE
        assert desk.in_force.read_bytes() == GOOD
        if b"done" in done.stdout:
            break
        killed += 1
    assert killed > 10 and b"done" in done.stdout


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_document_with_any_change_raises_nothing_and_is_no_policy(
    desk: Desk, data: st.DataObject
) -> None:
    document = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(document) - 1))
        document[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=4)
        )
    if bytes(document) in (GOOD, b""):
        return
    verdict = desk.decide(bytes(document))
    assert verdict is not None and verdict.refused
    found = desk.store().load()
    assert isinstance(found, Policy) and found.version == 4
