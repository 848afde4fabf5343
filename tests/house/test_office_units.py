"""The office's units: shut, whole, and started with what the office's commands made.

That they run is shown under a real systemd: ``make units`` (``tests/units``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S
from systemd_units import OFFICE, SYSTEM, exposure, settings, sysusers, verified, words

from deb import pages
from deb.files import CAMERA, lay, of_package
from deb.files import OFFICE as PACKAGE
from doorsill_fleet.ca.keys import WORDS
from doorsill_fleet.cli.main import parser_for

SERVE, RECEIVE, FOLLOW = (
    OFFICE / f"doorsill-fleet{each}.service" for each in ("", "-receive", "-follow")
)
EVERY = sorted(OFFICE.glob("*.service"))
HOME = "/var/lib/doorsill-fleet"
PROGRAM = "opt/doorsill/bin/doorsill-fleet"
EXPOSED = {SERVE: 1.5, RECEIVE: 1.5, FOLLOW: 2.3}  # the last has two of root's rights

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/systemd-analyze").exists(), reason="needs systemd-analyze"
)


def installed(root: Path) -> Path:
    """A root folder with the units of this machine's systemd, then the package's."""
    shutil.copytree(SYSTEM, root / "usr/lib/systemd/system", symlinks=True)
    (root / "made").mkdir()
    lay([e for e in of_package(PACKAGE) if e.kind != "link"], root,
        pages.make(PACKAGE, root / "made"))  # fmt: skip
    program = root / PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return root


@pytest.mark.parametrize("unit", EVERY, ids=lambda each: each.stem)
def test_a_unit_is_shut(unit: Path) -> None:
    assert exposure(unit) <= EXPOSED[unit]


def test_systemd_finds_nothing_wrong_with_the_installed_units(tmp_path: Path) -> None:
    root = installed(tmp_path)
    assert verified(root, *(each.name for each in EVERY)) == ""


def test_negative_control_a_program_that_is_not_there_is_seen(tmp_path: Path) -> None:
    root = installed(tmp_path)
    (root / PROGRAM).unlink()
    assert "is not executable" in verified(root, SERVE.name)


@pytest.mark.parametrize("unit", EVERY, ids=lambda each: each.stem)
def test_a_unit_runs_a_command_that_there_is(unit: Path) -> None:
    program, *rest = words(unit, "ExecStart")
    assert program == f"/{PROGRAM}"
    assert parser_for(rest).parse_args(rest)


@pytest.mark.parametrize("unit", EVERY, ids=lambda each: each.stem)
def test_a_reboot_starts_it_again_and_what_a_person_must_mend_is_left(
    unit: Path,
) -> None:
    assert words(unit, "WantedBy") == ["multi-user.target"]
    assert words(unit, "Restart") == ["always"]
    never = set(words(unit, "RestartPreventExitStatus"))
    assert {"2", "3"} <= never and not {"1", "4", "5"} & never
    assert words(unit, "StartLimitBurst") and words(unit, "ConditionPathExists")


@pytest.mark.parametrize("unit", EVERY, ids=lambda each: each.stem)
@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        pytest.param("PrivateIPC", "yes", id="no memory or queue outlives it"),
        pytest.param("TemporaryFileSystem", "/var:ro", id="no folder of /var"),
        pytest.param("TemporaryFileSystem", "/run:ro", id="no daemon but those named"),
        pytest.param("ProtectHome", "yes", id="no home, where a safe may lie"),
        pytest.param("SystemCallFilter", "setxattr", id="no metadata on the disk"),
        pytest.param("MountFlags", "private", id="no disk that is mounted later"),
        pytest.param("LogRateLimitIntervalSec", "60", id="the journal has a bound"),
        pytest.param("LimitCORE", "0", id="no dump with a key"),
        pytest.param("MemorySwapMax", "0", id="no key in the swap"),
    ],
)
def test_a_unit_sees_and_leaves_little(unit: Path, key: str, wanted: str) -> None:
    assert wanted in words(unit, key)


def test_the_issuing_key_is_out_of_the_view_of_what_parses_messages() -> None:
    assert f"-{HOME}/chain" in words(RECEIVE, "InaccessiblePaths")
    copies = [each.partition(":") for each in words(RECEIVE, "LoadCredential")]
    assert [(name, Path(path).name) for name, _, path in copies] == [
        (each, each)
        for each in ("fleet.toml", "ca.pem", "reader-store.pem", "reader-store.key")
    ]
    assert not words(RECEIVE, "LoadCredentialEncrypted")


def test_the_passphrase_has_the_name_under_which_serve_looks_for_it() -> None:
    assert words(SERVE, "LoadCredentialEncrypted") == [WORDS]


def test_who_revokes_at_a_broker_has_two_of_roots_rights_and_asks_systemd() -> None:
    assert words(FOLLOW, "CapabilityBoundingSet") == ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]
    assert words(FOLLOW, "ReadWritePaths") == ["/etc/doorsill-fleet", "/etc/mosquitto"]
    assert "/run/systemd/private" in words(FOLLOW, "BindReadOnlyPaths")
    assert not words(FOLLOW, "User")
    for unit in (SERVE, RECEIVE):
        assert settings(unit)["CapabilityBoundingSet"] == [""]
        assert "/run/systemd/private" not in words(unit, "BindReadOnlyPaths")


def test_systemd_makes_the_user_and_the_folder(tmp_path: Path) -> None:
    done = sysusers(OFFICE / "doorsill-fleet.sysusers", tmp_path)
    assert done.returncode == 0, done.stderr
    made = set(re.findall(r"Creating (?:user|group) '([\w-]+)'", done.stderr))
    for unit in (SERVE, RECEIVE):
        assert set(words(unit, "User") + words(unit, "Group")) == made
    rows = (OFFICE / "doorsill-fleet.tmpfiles").read_text().splitlines()
    assert rows[-1].split()[:5] == ["d", HOME, "0700", *(2 * ["doorsill-fleet"])]


def test_a_camera_gets_none_of_them() -> None:
    assert not [each for each in of_package(CAMERA) if "fleet" in str(each.target)]


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_a_package_script_is_a_script(name: str) -> None:
    script = OFFICE.parents[1] / "firmware/deb" / f"doorsill-fleet.{name}"
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=PROGRAM_S)
