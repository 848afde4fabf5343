"""What the first boot asks of systemd: a ``systemctl`` that notes it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorsill.services import first_boot_wiring
from doorsill.services.first_boot_machine import TARGET, Systemd

PROGRAM = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
if [ "$1" = show ]; then cat "$(dirname "$0")/states"; fi
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a program that answers ``states`` and writes ``asked``."""
    program = tmp_path / "systemctl"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def started(folder: Path, states: str) -> bool:
    (folder / "states").write_text(states)
    Systemd().start_counting()
    return f"--no-block start {TARGET}" in (folder / "asked").read_text()


@pytest.mark.parametrize("states", ["activating activating", "active activating"])
def test_what_is_about_to_run_is_not_started_again(
    systemctl: Path, states: str
) -> None:
    """On a slow machine it takes longer than until the next look."""
    assert not started(systemctl, states.replace(" ", "\n\n"))


@pytest.mark.parametrize(
    "states", ["inactive inactive", "active failed", "deactivating active", ""]
)
def test_what_does_not_run_is_started(systemctl: Path, states: str) -> None:
    assert started(systemctl, states.replace(" ", "\n\n"))


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        pytest.param(
            first_boot_wiring.ALL, f"--no-block try-restart {TARGET}", id="all"
        ),
        pytest.param(
            first_boot_wiring.VAULT,
            "--no-block restart doorsill-vault.service",
            id="the vault, also one that had ended for a wrong pin",
        ),
    ],
)
def test_devices_are_shown_to_units_before_they_start_again(
    systemctl: Path, unit: str, words: str
) -> None:
    assert Systemd().take_settings(unit)
    asked = (systemctl / "asked").read_text()
    assert asked == f"daemon-reload\n{words}\n"


def test_a_systemd_that_does_not_answer_starts_nothing_again(systemctl: Path) -> None:
    program = systemctl / "systemctl"
    program.write_text(PROGRAM + 'if [ "$1" = daemon-reload ]; then exit 1; fi\n')
    assert not Systemd().take_settings(first_boot_wiring.VAULT)
    assert (systemctl / "asked").read_text() == "daemon-reload\n"
