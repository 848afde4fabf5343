"""What a device owes at its end is named; a whole chain to the last policy is enough.

The certificates are real ones, made by the vault's own chain and sent as messages.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from devices import SIZE, DeviceCA, blanking

from doorsill.certificates.compact import IN_MEMORY, Known, compact
from doorsill.drivers.media.medium import MediumFacts
from doorsill.vault.chain import CertificateChain
from doorsill.wire.certificate import Certificate
from doorsill_fleet.audit.chain import Trust, audit
from doorsill_fleet.retirement.farewell import (
    has_vault,
    owed,
    purposes_of,
    without_consent,
)

CA = DeviceCA()
MEMORY = MediumFacts("memory", IN_MEMORY, SIZE)
BEFORE, LAST = "ab" * 32, "cd" * 32
CONSENT = {"purposes": ["validation"]}


class Device:
    """A device whose vault made a certificate under each of these policies."""

    def __init__(self, folder: Path) -> None:
        self.identity = CA.device(folder / "id", "door-7")
        self.chain = CertificateChain(folder / "c", self.identity)
        der = self.identity.certificate.public_bytes(serialization.Encoding.DER)
        known = Known({hashlib.sha256(der).hexdigest(): der}, (), ["validation"])
        self.trust = Trust(CA.certificate, known)

    def certify(self, *policies: str, **more: Any) -> list[Certificate]:
        for each in policies:
            self.chain.append(
                blanking(self.chain, medium=MEMORY, policy=each, **more)
            )  # fmt: skip
        return [compact(path.read_bytes()) for path in self.chain.paths()]

    def owes(self, came: list[Certificate]) -> str:
        found = audit("door-7", came, self.trust)
        return " / ".join(owed(found, {LAST}, "certificates"))


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_a_whole_chain_whose_end_is_under_the_last_policy_is_enough(
    device: Device,
) -> None:
    assert device.owes(device.certify(BEFORE, BEFORE, LAST)) == ""
    assert device.owes(device.certify(LAST)) == ""  # and one more after it


@pytest.mark.parametrize(
    ("sent", "kept", "said"),
    [
        pytest.param([], [], "no blanking certificate of it is in", id="none came"),
        pytest.param([BEFORE], [0], "from before its last policy", id="too old"),
        pytest.param(
            [BEFORE, BEFORE, LAST], [0, 2], "certificate 2 is missing", id="a gap"
        ),
        pytest.param([BEFORE, LAST], [1], "certificate 1 is missing", id="its first"),
        pytest.param(
            [LAST, BEFORE], [0, 1], "from before its last policy", id="opened again"
        ),
    ],
)
def test_what_is_missing_is_named(
    device: Device, sent: list[str], kept: list[int], said: str
) -> None:
    came = device.certify(*sent)
    assert said in device.owes([came[number] for number in kept])


def test_another_devices_certificates_say_nothing(
    device: Device, tmp_path: Path
) -> None:
    other = Device(tmp_path / "other")
    said = device.owes(other.certify(BEFORE, LAST))
    assert "which signed it, is not among those that are known here" in said


def test_the_last_policy_is_the_one_before_it_without_consent() -> None:
    body = {"version": 4, "consent": CONSENT, "expires": "2026-01-01", "k": 10}
    assert without_consent(body, 5) == {"version": 5, "k": 10}


def test_whether_there_ever_was_a_vault(device: Device) -> None:
    assert not has_vault([{"k": 10}], [])
    assert has_vault([{"k": 10}, {"consent": CONSENT}, {"k": 10}], [])
    assert has_vault([], device.certify(BEFORE))
    assert purposes_of([{"consent": CONSENT}, {}, {"consent": CONSENT}]) == [
        "validation"
    ]
