"""What the vault lays out: its newest certificates, and never a word of its own."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from devices import AROUND, DeviceCA, blanking

from doorsill.channels.tray import Tray, read_tray
from doorsill.vault.chain import CertificateChain
from doorsill.vault.outlet import Outlet
from doorsill.wire.certificate import Certificate
from doorsill.wire.codec import decode

CA = DeviceCA()


def laid_out(path: Path) -> list[int]:
    found = [decode("certificate", each) for each in read_tray(path)]
    return sorted(each.counter for each in found if isinstance(each, Certificate))


def test_old_and_new_certificates_lie_there(tmp_path: Path) -> None:
    chain = CertificateChain(tmp_path / "c", CA.device(tmp_path / "id", "door-7"))
    chain.append(blanking(chain))
    outlet = Outlet(chain, Tray(tmp_path / "tray"))
    outlet.catch_up()
    assert laid_out(tmp_path / "tray") == [1]
    chain.append(blanking(chain))
    outlet.catch_up()
    assert laid_out(tmp_path / "tray") == [1, 2]


def test_a_certificate_with_a_word_of_its_own_stays_and_the_next_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = CertificateChain(tmp_path / "c", CA.device(tmp_path / "id", "door-7"))
    around = replace(AROUND, core_dumps="to |/usr/bin/anna")
    chain.append(blanking(chain, surroundings=around))
    chain.append(blanking(chain))
    with caplog.at_level(logging.ERROR):
        Outlet(chain, Tray(tmp_path / "tray")).catch_up()
    assert laid_out(tmp_path / "tray") == [2]
    assert "0000000001.json does not leave this device" in caplog.text
