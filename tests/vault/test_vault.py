"""The vault opens only when it is verified blank, and every way out ends blank."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from devices import AROUND
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locking import keep_memories
from vaults import SEALING_KEY, SIZE, Bench, consent_policy, crop, lease, picture

from doorsill.certificates import claims
from doorsill.consent.reasons import Reason
from doorsill.drivers.media.disk import DiskMedium
from doorsill.drivers.media.medium import NoAnswer, read_all
from doorsill.drivers.media.memory import MemoryMedium
from doorsill.drivers.media.sram import SramMedium
from doorsill.drivers.media.sram_chip import SimulatedSram
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.vault import marker, sealing
from doorsill.vault.sealing import DataKey, new_key_id, unwrap
from doorsill.vault.vault import Vault


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_session_from_blank_to_blank(bench: Bench) -> None:
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(3)
    assert not bench.vault.verified_blank and bench.vault.check()
    bench.now_ms += 20_000
    path = bench.vault.close(Reason.REMOVED)
    assert bench.vault.verified_blank and bench.vault.last == path
    chain = bench.verified()
    (told,) = chain[1].body["leases"]
    assert told["sealed"] == 3 and told["reason"] == "removed"
    assert told["closed_ms"] - told["opened_ms"] == 20_000
    assert chain[1].body["key"]["destroyed"] and chain[0].body["key"]["id"] is None


def test_the_medium_holds_ciphertext_only(bench: Bench) -> None:
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(5)
    held = bench.medium.read_back(0, SIZE)
    assert any(held)
    for seed in range(5):
        raw = picture(seed).tobytes()
        assert not any(raw[at : at + 16] in held for at in range(0, len(raw) - 16, 16))


@pytest.mark.parametrize(
    "act",
    [
        lambda v: v.open(lease()),
        lambda v: v.seal(None),
    ],
    ids=["open", "seal"],
)
def test_nothing_works_before_the_first_blanking(
    bench: Bench, act: Callable[[Vault], object]
) -> None:
    with pytest.raises(UntrustedError, match="blank"):
        act(bench.vault)


def test_nothing_is_sealed_after_the_close(bench: Bench) -> None:
    bench.vault.start()
    bench.vault.open(lease())
    bench.vault.close(Reason.REMOVED)
    with crop() as each, pytest.raises(UntrustedError, match="no card has just"):
        bench.vault.seal(each)
    assert bench.vault.close(Reason.REMOVED) is None


def test_it_does_not_open_twice_nor_without_a_consent_policy(bench: Bench) -> None:
    bench.vault.start()
    bench.vault.open(lease())
    with pytest.raises(UntrustedError, match="stays shut"):
        bench.vault.open(lease())
    with pytest.raises(UntrustedError, match="another policy"):
        bench.vault.rebind(consent_policy(max_crops=1))
    bench.vault.close(Reason.POLICY_CHANGED)
    bench.policy = None
    bench.restart().start()
    assert bench.vault.verified_blank
    with pytest.raises(UntrustedError, match="stays shut"):
        bench.vault.open(lease())


@pytest.mark.parametrize(
    ("rules", "accepted", "message"),
    [
        ({"max_crops": 2}, 2, "2 crops: the policy's limit"),
        ({"max_bytes": 8192}, 3, "8192 bytes: the limit"),
    ],
)
def test_the_policys_limits_hold(
    bench: Bench, rules: dict[str, int], accepted: int, message: str
) -> None:
    bench.vault.rebind(consent_policy(**rules))
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(accepted)
    with pytest.raises(UntrustedError, match=message):
        bench.seal(1)
    bench.vault.close(Reason.LIMIT)
    assert bench.verified()[-1].body["leases"][0]["sealed"] == accepted


def test_a_start_under_a_policy_that_ended_it_is_certified_under_that_policy(
    bench: Bench,
) -> None:
    """Else a vault that was down as the policy came would leave no word of it."""
    bench.vault.start()
    bench.restart().start()
    assert len(bench.verified()) == 1  # negative control: the same start again
    last = replace(consent_policy(), consent=None, digest="cd" * 32)
    for _ in range(2):
        bench.policy = last
        bench.restart().start()
    assert [each.body["policy"] for each in bench.verified()][1:] == [last.digest]


def test_blank_is_always_allowed(bench: Bench) -> None:
    bench.vault.start()
    bench.vault.blank(Reason.ORDERED)
    bench.vault.open(lease())
    bench.seal(1)
    bench.vault.blank(Reason.ORDERED)
    told = [each.body["leases"] for each in bench.verified()]
    assert [len(each) for each in told] == [0, 0, 1]


@pytest.mark.parametrize("sealed", [0, 1, 7])
def test_after_a_power_cut_nothing_is_readable_and_the_next_start_blanks_first(
    tmp_path: Path, sealed: int
) -> None:
    bench = Bench(tmp_path, DiskMedium(tmp_path / "medium", SIZE))
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(sealed)
    key_id = bench.vault.session.key.key_id  # type: ignore[union-attr]
    bench.medium.close()  # the process is gone; key and index with it
    left = (tmp_path / "medium").read_bytes()
    assert any(left) is (sealed > 0)

    bench.restart(DiskMedium(tmp_path / "medium", SIZE))
    with pytest.raises(UntrustedError):
        bench.vault.open(lease())
    bench.vault.start()
    assert not any((tmp_path / "medium").read_bytes())
    body = bench.verified()[-1].body
    assert body["reason"] == claims.DIED and body["key"]["id"] == key_id
    assert body["leases"][0]["reason"] == claims.DIED
    assert not (tmp_path / marker.MARKER_NAME).exists()


def test_a_record_cut_in_the_middle_is_blanked_like_any_other(tmp_path: Path) -> None:
    bench = Bench(tmp_path, DiskMedium(tmp_path / "medium", SIZE))
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(2)
    with (tmp_path / "medium").open("r+b") as file:
        file.seek(6000)
        file.write(b"half a record")
    assert bench.vault.check()  # that is behind the records
    bench.restart(DiskMedium(tmp_path / "medium", SIZE))
    bench.vault.start()
    assert not any((tmp_path / "medium").read_bytes())


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"[]", b'{"lease":{"a":1}}'])
def test_an_unreadable_marker_is_a_crash_too(bench: Bench, text: bytes) -> None:
    (bench.home / marker.MARKER_NAME).write_bytes(text)
    bench.vault.start()
    assert bench.verified()[-1].body["reason"] == claims.DIED


def test_two_markers_that_cannot_be_read_are_two_crashes(bench: Bench) -> None:
    for count in (1, 2):
        (bench.home / marker.MARKER_NAME).write_bytes(b"torn")
        bench.restart().start()
        reasons = [each.body["reason"] for each in bench.verified()]
        assert reasons == [claims.DIED] * count


def test_a_power_cut_between_certificate_and_marker_is_told_once(bench: Bench) -> None:
    """The key was destroyed once; a second certificate of it would be refused."""
    bench.vault.start()
    bench.vault.open(lease())
    left = (bench.home / marker.MARKER_NAME).read_bytes()
    bench.vault.close(Reason.REMOVED)
    (bench.home / marker.MARKER_NAME).write_bytes(left)
    for _ in range(2):
        bench.restart().start()
        assert not (bench.home / marker.MARKER_NAME).exists()
    assert [each.body["reason"] for each in bench.verified()] == [
        "start",
        "removed",
        "start",
    ]


def test_a_start_after_a_clean_end_says_start(bench: Bench) -> None:
    bench.vault.start()
    bench.vault.open(lease())
    bench.vault.close(Reason.SHUTDOWN)
    bench.restart().start()
    assert [each.body["reason"] for each in bench.verified()] == [
        "start",
        "shutdown",
        "start",
    ]


def test_started_over_and_over_it_does_not_fill_the_chain(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.vault.start()
    for _ in range(5):
        bench.restart().start()
        assert bench.vault.verified_blank
    assert len(bench.verified()) == 1
    bench.medium.append(b"left")
    bench.restart().start()  # but what is not blank is blanked, and said
    assert len(bench.verified()) == 2
    bench.observe = lambda: replace(AROUND, boot="9" * 36)  # type: ignore[method-assign]
    bench.restart().start()
    assert len(bench.verified()) == 3


class Faulty:
    """A medium that goes wrong when asked to."""

    def __init__(self, how: str) -> None:
        self._inner = MemoryMedium(SIZE)
        self.facts = self._inner.facts
        self.how = how
        self.broken = False

    def append(self, record: bytes) -> int:
        if self.broken and self.how == "append":
            raise UntrustedError("the medium vanished")
        return self._inner.append(record)

    def read_back(self, offset: int, size: int) -> bytes:
        if self.broken and self.how == "read":
            raise UntrustedError("the medium vanished")
        found = self._inner.read_back(offset, size)
        return found[:-1] if self.broken and self.how == "short" else found

    def blank(self) -> tuple[str, ...]:
        if self.broken and self.how == "blank":
            raise UntrustedError("the medium vanished")
        if self.broken and self.how == "leak":
            return ("overwritten",)
        return self._inner.blank()

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("how", ["read", "short", "blank", "leak"])
def test_a_medium_that_cannot_be_blanked_is_said_and_the_vault_stays_shut(
    tmp_path: Path, how: str
) -> None:
    medium = Faulty(how)
    bench = Bench(tmp_path, medium)
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(2)
    key = bench.vault.session.key  # type: ignore[union-attr]
    medium.broken = True
    with pytest.raises(UntrustedError, match="NOT blank"):
        bench.vault.close(Reason.REMOVED)
    with pytest.raises(UntrustedError, match="destroyed"):
        key.seal(b"x", b"")
    with pytest.raises(UntrustedError, match="stays shut"):
        bench.vault.open(lease())
    with pytest.raises(UntrustedError, match=r"overwritten|itself says"):
        bench.verified()
    medium.broken = False
    bench.vault.blank(Reason.ORDERED)
    assert bench.vault.verified_blank


def test_a_medium_that_fails_while_sealing_still_ends_blank(tmp_path: Path) -> None:
    medium = Faulty("append")
    bench = Bench(tmp_path, medium)
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(2)
    medium.broken = True
    with pytest.raises(UntrustedError, match="vanished"):
        bench.seal(1)
    bench.vault.close(Reason.MEDIUM)
    assert bench.vault.verified_blank and read_all(medium, b"")[1]


def test_a_chip_behind_the_interlock_is_blanked_before_it_opens_again(
    tmp_path: Path,
) -> None:
    """Its rail goes with the card: nothing is claimed before it was read back."""
    chip = SimulatedSram()
    chip.power_off()
    bench = Bench(tmp_path, SramMedium(chip))
    bench.vault.start()  # no card in yet: no power
    for _ in range(2):
        with pytest.raises(NoAnswer):
            bench.vault.open(lease())
        chip.power_up()  # with noise in every cell
        bench.vault.open(lease())
        assert not any(chip.memory)
        bench.seal(2)
        chip.power_off()
        bench.vault.close(Reason.REMOVED)
        assert bench.vault.silent and not bench.vault.verified_blank
        assert bench.vault.check()  # nothing to look at, and no fault
    chain = bench.verified()
    assert [(each.body["reason"], each.read_back) for each in chain] == [
        ("start", False),
        ("power-back", True),
        ("removed", False),
        ("power-back", True),
        ("removed", False),
    ]
    removed = chain[-1].body
    assert removed["nist_class"] == claims.NOT_YET
    assert removed["read_back"]["blocks"] == 0 and removed["key"]["destroyed"]
    assert removed["leases"][0]["sealed"] == 2


def test_a_chip_whose_rail_flickers_is_read_back_anew(tmp_path: Path) -> None:
    """A power that comes back unnoticed brings noise; nothing of it passes as blank."""
    chip = SimulatedSram()
    bench = Bench(tmp_path, SramMedium(chip))
    bench.vault.start()
    assert bench.vault.verified_blank
    chip.power_off()
    chip.power_up()
    assert bench.vault.check() and not bench.vault.verified_blank
    bench.vault.open(lease())
    bench.seal(1)
    bench.vault.close(Reason.REMOVED)
    assert bench.vault.verified_blank and not any(chip.memory)
    chip.stuck = 70_000
    chip.memory[70_000] = 1
    with pytest.raises(UntrustedError, match="NOT blank"):
        bench.vault.blank(Reason.ORDERED)


@pytest.mark.parametrize("powered", [False, True])
def test_a_chip_that_stays_silent_does_not_fill_the_chain(
    tmp_path: Path, powered: bool
) -> None:
    chip = SimulatedSram()
    chip.power_off()
    bench = Bench(tmp_path, SramMedium(chip))
    bench.vault.start()
    for _ in range(3):
        bench.restart().start()
        assert bench.vault.silent and not bench.vault.verified_blank
    assert len(bench.verified()) == 1
    if powered:  # the next start finds it with its power back, and says so
        chip.power_up()
        bench.restart(SramMedium(chip)).start()
        assert bench.vault.verified_blank and len(bench.verified()) == 2


def test_a_marker_that_cannot_be_written_keeps_the_vault_shut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.vault.start()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        bench.vault.open(lease())
    monkeypatch.undo()
    assert bench.vault.session is None and bench.vault.verified_blank


def test_a_full_disk_at_the_close_still_destroys_the_key_and_blanks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(2)
    key = bench.vault.session.key  # type: ignore[union-attr]

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        bench.vault.close(Reason.REMOVED)
    monkeypatch.undo()
    assert read_all(bench.medium, b"")[1]
    with pytest.raises(UntrustedError, match="destroyed"):
        key.seal(b"x", b"")
    assert not bench.vault.verified_blank  # no certificate, so it does not open
    with pytest.raises(UntrustedError):
        bench.vault.open(lease())


def test_the_hourly_look_sees_one_altered_byte(tmp_path: Path) -> None:
    bench = Bench(tmp_path, DiskMedium(tmp_path / "medium", SIZE))
    bench.vault.start()
    assert bench.vault.check()
    bench.vault.open(lease())
    bench.seal(3)
    assert bench.vault.check()
    with (tmp_path / "medium").open("r+b") as file:
        file.seek(3000)
        byte = file.read(1)
        file.seek(3000)
        file.write(bytes([byte[0] ^ 1]))
    assert not bench.vault.check()
    bench.vault.close(Reason.MEDIUM)
    with (tmp_path / "medium").open("r+b") as file:
        file.write(b"\1")
    assert not bench.vault.check()


def test_a_full_chain_keeps_the_vault_shut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.vault.start()
    monkeypatch.setattr("doorsill.vault.chain.CHAIN_LIMIT", 1)
    with pytest.raises(UntrustedError, match="chain of certificates is full"):
        bench.vault.open(lease())


EVENTS = st.lists(
    st.sampled_from(["open", "seal", "close", "blank", "check", "crash"]), max_size=25
)


@given(EVENTS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_happens_shut_is_blank_and_the_chain_verifies(
    tmp_path_factory: pytest.TempPathFactory, events: list[str]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("v"))
    bench.vault.start()
    for event in events:
        try:
            if event == "open":
                bench.vault.open(lease())
            elif event == "seal":
                bench.seal(1)
            elif event == "close":
                bench.vault.close(Reason.REMOVED)
            elif event == "blank":
                bench.vault.blank(Reason.ORDERED)
            elif event == "check":
                assert bench.vault.check()
            else:
                bench.restart().start()
        except DoorsillError:
            pass
        if bench.vault.session is None:
            assert bench.vault.verified_blank
            assert not any(bench.medium.read_back(0, SIZE))
    assert bench.verified()
    bench.medium.close()


def test_a_wrapped_key_opens_with_the_cards_key_alone() -> None:
    key = DataKey(new_key_id())
    sealed = key.seal(b"crop" * 10, b"1")
    wrapped = key.wrap(SEALING_KEY.public_key())
    key.destroy()
    peer = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), wrapped.ephemeral
    )
    cipher = unwrap(wrapped, SEALING_KEY.exchange(ec.ECDH(), peer))
    bound = bytes.fromhex(wrapped.key_id) + b"1"
    assert cipher.decrypt(sealed[:12], sealed[12:], bound) == b"crop" * 10
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(UntrustedError, match="not the one it was sealed to"):
        unwrap(wrapped, other.exchange(ec.ECDH(), peer))


def test_every_record_has_its_own_nonce_and_is_bound_to_its_place() -> None:
    key = DataKey(new_key_id())
    sealed = [key.seal(b"same", b"1") for _ in range(100)]
    assert len({each[:12] for each in sealed}) == 100
    assert key.holds(sealed[0], b"1") and not key.holds(sealed[0], b"2")
    key.destroy()
    for act in (
        lambda: key.seal(b"", b""),
        lambda: key.holds(b"", b""),
        lambda: key.wrap(SEALING_KEY.public_key()),
    ):
        with pytest.raises(UntrustedError, match="destroyed"):
            act()


def test_the_marker_holds_nothing_of_the_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    memories = keep_memories(monkeypatch, sealing)
    bench.vault.start()
    bench.vault.open(lease())
    session = bench.vault.session
    assert session is not None
    text = (bench.home / marker.MARKER_NAME).read_text()
    (key,) = memories
    raw = bytes(key.view)
    assert raw.hex() not in text and set(json.loads(text)) == {"key_id", "lease"}
    assert raw.hex() not in repr(session)


def test_a_clock_that_is_set_back_makes_no_certificate_that_contradicts_another(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal()
    bench.now_ms -= 400 * 86_400_000
    bench.vault.close("clock")
    bench.vault.blank("ordered")
    first, *later = (each.body["time"] for each in bench.verified())
    assert {each["utc_ms"] for each in later} == {first["utc_ms"]}
    assert all("not known to be" in each["source"] for each in later)
