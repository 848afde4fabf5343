"""The office verifies what came home, and says what is missing, doubled or false."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from devices import SIZE, UTC_MS, DeviceCA, blanking

from doorsill.certificates.compact import IN_MEMORY, Known, compact
from doorsill.device.identity import Identity
from doorsill.drivers.media.medium import MediumFacts
from doorsill.vault.chain import CertificateChain
from doorsill.wire.certificate import Certificate
from doorsill_fleet.audit.chain import Audit, Trust, audit

CA = DeviceCA()
MEMORY = MediumFacts("memory", IN_MEMORY, SIZE)


class Home:
    """One device, the certificates that it made, and the office."""

    def __init__(self, folder: Path, count: int = 5) -> None:
        self.folder = folder
        self.device: Identity = CA.device(folder / "id", "door-7")
        der = self.device.certificate.public_bytes(serialization.Encoding.DER)
        self.known = Known({hashlib.sha256(der).hexdigest(): der}, (), ["validation"])
        self.sent = self.make("c", count)

    def make(self, name: str, count: int, **changes: Any) -> list[Certificate]:
        chain = CertificateChain(self.folder / name, self.device)
        for _ in range(count):
            chain.append(blanking(chain, medium=MEMORY, **changes))
        return [compact(path.read_bytes()) for path in chain.paths()]

    def judge(self, came: list[Certificate], **more: Any) -> Audit:
        return audit("door-7", came, Trust(CA.certificate, self.known, **more))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_all_that_came_is_whole_in_any_order(home: Home) -> None:
    found = home.judge([*reversed(home.sent), home.sent[2]])
    assert found.is_whole and found.doubled == 1
    assert found.newest is not None and found.newest.counter == 5
    assert found.sentences() == ["door-7: 5 certificates, none missing"]


def test_nothing_came(home: Home) -> None:
    assert home.judge([]).sentences() == ["door-7: no certificate has come home"]
    assert not home.judge([]).is_whole


@pytest.mark.parametrize(
    ("kept", "at_least", "sentence"),
    [
        pytest.param([1, 2, 4, 5], 0, "certificate 3 is missing", id="in the middle"),
        pytest.param([3, 4, 5], 0, "certificates 1 to 2 are missing", id="the first"),
        pytest.param([1, 5], 0, "certificates 2 to 4 are missing", id="several"),
        pytest.param([1, 2, 3], 5, "certificates 4 to 5 are missing", id="the last"),
    ],
)
def test_what_is_missing_is_said(
    home: Home, kept: list[int], at_least: int, sentence: str
) -> None:
    found = home.judge([home.sent[number - 1] for number in kept], at_least=at_least)
    assert f"door-7: {sentence}" in found.sentences() and not found.is_whole
    assert not found.broken and not found.refused


def test_two_certificates_of_one_number_are_said(home: Home) -> None:
    other = home.make("other", 5, reason="expired")
    found = home.judge([*home.sent, other[2]])
    assert found.contradicting == (3,) and not found.is_whole
    assert any("two certificates 3" in each for each in found.sentences())


def test_one_from_another_chain_does_not_fit(home: Home) -> None:
    other = home.make("other", 5, reason="expired")
    found = home.judge([*home.sent[:2], other[2], *home.sent[3:]])
    assert not found.is_whole
    assert any("it does not follow" in each for each in found.broken)


ALTERED: list[Any] = [
    pytest.param({"lease_sealed": 0}, id="fewer crops"),
    pytest.param({"counter": 6}, id="another number"),
    pytest.param({"reason": "expired"}, id="another reason"),
    pytest.param({"signature_s": "01" * 32}, id="another signature"),
    pytest.param({"firmware": "00" * 32}, id="another firmware"),
    pytest.param({"disks": ()}, id="fewer disks"),
]


@pytest.mark.parametrize("change", ALTERED)
def test_what_the_broker_altered_is_refused(home: Home, change: dict[str, Any]) -> None:
    found = home.judge([*home.sent, replace(home.sent[2], **change)])
    assert len(found.refused) == 1 and not found.is_whole
    assert "the signature does not match" in found.refused[0]
    assert len(found.verified) == 5  # what is good stays good


def test_a_signer_that_nobody_certified_is_refused(home: Home, tmp_path: Path) -> None:
    foreign = DeviceCA().device(tmp_path / "foreign", "door-7")
    der = foreign.certificate.public_bytes(serialization.Encoding.DER)
    chain = CertificateChain(tmp_path / "f", foreign)
    came = compact(chain.append(blanking(chain, medium=MEMORY)).read_bytes())
    assert "not among those" in home.judge([came]).refused[0]
    signers = {**home.known.signers, hashlib.sha256(der).hexdigest(): der}
    known = replace(home.known, signers=signers)
    found = audit("door-7", [came], Trust(CA.certificate, known))
    assert "not certified by this device CA" in found.refused[0]


def test_in_another_devices_name_it_is_refused(home: Home) -> None:
    found = audit("door-8", home.sent, Trust(CA.certificate, home.known))
    assert not found.verified and len(found.refused) == 5


def test_a_medium_that_was_not_blank_is_said(home: Home) -> None:
    bad = home.make("bad", 1, blank=False, read_back_sha256="ab" * 32)
    assert "not blank" in home.judge(bad).refused[0]


def test_a_revoked_device_and_a_day_to_come_are_said(home: Home) -> None:
    day = datetime.fromtimestamp(UTC_MS / 1000, UTC)
    serial = home.device.certificate.serial_number
    assert "taken back" in home.judge(home.sent, revoked={serial: day}).broken[0]
    early = home.judge(home.sent, now=day - timedelta(days=3))
    assert "yet to come" in early.broken[0]
