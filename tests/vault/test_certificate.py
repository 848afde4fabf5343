"""Certificates are chained, durable, and never written over."""

from dataclasses import replace
from pathlib import Path

import pytest
from devices import AROUND, DeviceCA, blanking

from doorsill.certificates import claims
from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.errors import ConfigError, UntrustedError
from doorsill.vault import chain as certificate
from doorsill.vault.chain import CertificateChain

CA = DeviceCA()


@pytest.fixture
def door(tmp_path: Path) -> Identity:
    return CA.device(tmp_path / "door", "door-7")


def test_a_certificate_says_all_that_is_asked_of_it(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    path = chain.append(blanking(chain))
    body = canonical.unseal(path.read_bytes(), door.key.public_key())
    assert {
        "format", "counter", "previous", "device", "device_certificate", "tool", "boot",
        "firmware", "policy", "reason", "medium", "methods", "nist_class",
        "nist_words", "key", "read_back", "leases", "time", "system", "limits",
    } == set(body)  # fmt: skip
    assert body["counter"] == 1 and body["previous"] == claims.FIRST
    assert body["system"]["sectors_written"] == {"mmcblk0": 8}
    assert body["key"] == {"id": "00" + "cc" * 15, "destroyed": True}
    assert any("does not prove" in limit for limit in body["limits"])


def test_the_words_never_promise_purge_or_physical_blankness() -> None:
    words = " ".join([claims.CLASS_WORDS, *claims.LIMITS, *claims.REASONS.values()])
    assert "Not Purge, not Destroy" in words
    assert "physically" not in words.lower()


def test_the_counter_goes_on_after_a_restart(tmp_path: Path, door: Identity) -> None:
    for count in range(1, 4):
        chain = CertificateChain(tmp_path / "c", door)
        assert chain.counter == count - 1
        chain.append(blanking(chain))
    assert [path.stem for path in chain.paths()] == [f"{n:010d}" for n in (1, 2, 3)]


def test_the_newest_certificate_lost_is_noticed(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    chain.append(blanking(chain)).unlink()
    with pytest.raises(UntrustedError, match="certificate 2 is missing"):
        CertificateChain(tmp_path / "c", door)


def test_a_lost_head_is_noticed(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    chain.append(blanking(chain))
    (tmp_path / "c" / certificate.HEAD_NAME).unlink()
    with pytest.raises(UntrustedError, match=r"head\.json is missing"):
        CertificateChain(tmp_path / "c", door)


def test_a_power_cut_between_certificate_and_head_is_survived(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    head = (tmp_path / "c" / certificate.HEAD_NAME).read_bytes()
    chain.append(blanking(chain))
    (tmp_path / "c" / certificate.HEAD_NAME).write_bytes(head)
    again = CertificateChain(tmp_path / "c", door)
    assert again.counter == 2
    again.append(blanking(again))


def test_another_devices_chain_is_not_continued(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    other = CA.device(tmp_path / "other", "door-8")
    with pytest.raises(UntrustedError):
        CertificateChain(tmp_path / "c", other)


def test_a_renamed_certificate_is_noticed(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    path = chain.append(blanking(chain))
    path.rename(path.with_name("0000000009.json"))
    with pytest.raises(UntrustedError, match="holds certificate 1"):
        CertificateChain(tmp_path / "c", door)


def test_a_certificate_is_never_written_over(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    (tmp_path / "c" / "0000000001.json").write_bytes(b"{}")
    with pytest.raises(UntrustedError, match="only ever added to"):
        chain.append(blanking(chain))


def test_a_full_disk_is_said_and_the_chain_stays_whole(
    tmp_path: Path, door: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        chain.append(blanking(chain))
    monkeypatch.undo()
    assert chain.append(blanking(chain)).stem.endswith("2")


def test_a_full_chain_says_so(
    tmp_path: Path, door: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "CHAIN_LIMIT", 2)
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    assert not chain.full
    chain.append(blanking(chain, surroundings=replace(AROUND, swap_bytes=1)))
    assert chain.full
