"""What is wired to a camera: what of doorsill.txt comes into its configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from doorsill.config import Config, read_config
from doorsill.documents.boot.wiring import Wiring
from doorsill.enrolment.configuration import FIRST
from doorsill.errors import ConfigError
from doorsill.services.first_boot_wiring import ALL, VAULT, write_wiring

WIRED = Wiring(
    'uTrust "3700" é',
    "pinctrl-rp1:27",
    "pinctrl-rp1:17",
    "pinctrl-rp1:22",
    "/dev/spidev0.0",
    "GPIO25",
)
SET = {'id = ""': 'id = "a"', 'site = ""': 'site = "b"', 'host = ""': 'host = "c"'}


@pytest.fixture
def due(tmp_path: Path) -> Path:
    return tmp_path / "run/due"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The configuration of a camera that has joined its fleet."""
    text = FIRST.replace('driver = ""', 'driver = "picamera"')
    for before, after in SET.items():
        text = text.replace(before, after)
    found = tmp_path / "doorsill.toml"
    found.write_text(text)
    return found


def config(path: Path) -> Config:
    found, problems = read_config(path)
    assert found is not None, problems
    return found


def test_without_a_reader_nothing_is_written(path: Path, due: Path) -> None:
    before = path.read_text()
    for wiring in (Wiring(), Wiring(status_lamp="GPIO25")):
        assert not write_wiring(path, wiring, due)
    assert path.read_text() == before and config(path).consent is None


def test_all_that_is_wired_is_in_the_configuration(path: Path, due: Path) -> None:
    assert write_wiring(path, WIRED, due)
    found = config(path).consent
    assert found is not None
    assert found.reader == WIRED.reader and found.ca == path.parent / "consent-ca.pem"
    assert (found.lamp_line, found.gpio_line) == ("pinctrl-rp1:27", "pinctrl-rp1:17")
    assert found.watchdog_line == "pinctrl-rp1:22"
    assert found.medium == "spi:/dev/spidev0.0"


def test_a_change_replaces_it_and_all_else_stays(path: Path, due: Path) -> None:
    before = path.read_text()
    write_wiring(path, WIRED, due)
    write_wiring(path, replace(WIRED, memory="", consent_lamp=""), due)
    found = config(path).consent
    assert found is not None and (found.medium, found.lamp_line) == ("memory", "")
    assert path.read_text().count("[consent]") == 1
    write_wiring(path, Wiring(), due)
    assert path.read_text() == before


def test_it_is_due_until_it_was_taken_and_then_only_after_a_change(
    path: Path, due: Path
) -> None:
    """Also over a process that ends in between."""
    assert write_wiring(path, WIRED, due) == write_wiring(path, WIRED, due) == ALL
    due.unlink()
    changed = path.stat().st_mtime_ns
    assert write_wiring(path, WIRED, due) is None
    assert path.stat().st_mtime_ns == changed
    assert write_wiring(path, Wiring(), due) == ALL


def test_another_pin_is_the_vaults_alone(path: Path, due: Path) -> None:
    """The others look only at whether there is a vault."""
    other = replace(WIRED, key_switch="")
    write_wiring(path, WIRED, due)
    assert write_wiring(path, other, due) == ALL, "the first change is still due"
    due.unlink()
    assert write_wiring(path, WIRED, due) == VAULT


def test_a_section_that_somebody_else_wrote_stays_and_is_named(
    path: Path, due: Path
) -> None:
    text = path.read_text() + '\n[consent]\nca = "other.pem"\nreader = "x"\n'
    path.write_text(text)
    assert not write_wiring(path, Wiring(), due)
    with pytest.raises(ConfigError, match=r"has a \[consent\] of its own"):
        write_wiring(path, WIRED, due)
    assert path.read_text() == text and not due.exists()
