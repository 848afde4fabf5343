"""The units are the privacy argument, so they are scored."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent / "firmware" / "systemd"

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/systemd-analyze").exists(), reason="needs systemd-analyze"
)


def exposure(unit: Path) -> float:
    """systemd's own score: 0 is shut, 10 is open."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


@pytest.mark.parametrize(
    ("name", "most"),
    [
        pytest.param("doorsill-vision", 1.5, id="sees, cannot speak"),
        pytest.param("doorsill-uplink", 1.5, id="speaks, cannot see"),
        pytest.param("doorsill-policy", 1.5, id="keeps the policy"),
        pytest.param("doorsill-vault", 1.5, id="keeps faces shut"),
    ],
)
def test_a_unit_is_shut(name: str, most: float) -> None:
    assert exposure(UNITS / f"{name}.service") <= most


def test_negative_control_an_open_unit_scores_badly(tmp_path: Path) -> None:
    shut = (UNITS / "doorsill-vision.service").read_text()
    open_unit = tmp_path / "doorsill-vision.service"
    head = shut.split("# It cannot speak.")[0]
    open_unit.write_text(head + "\n[Install]\nWantedBy=doorsill.target\n")
    assert exposure(open_unit) > 5


@pytest.mark.parametrize(
    "line",
    [
        "PrivateNetwork=yes",
        "ProtectSystem=strict",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0",
        "NoNewPrivileges=yes",
        "RestrictAddressFamilies=AF_UNIX",
    ],
)
def test_vision_has_no_network_no_writable_disk_no_dump(line: str) -> None:
    text = (UNITS / "doorsill-vision.service").read_text()
    assert line in text.splitlines()
    assert "ReadWritePaths" not in text
    assert "StateDirectory" not in text


def test_uplink_has_no_camera() -> None:
    lines = (UNITS / "doorsill-uplink.service").read_text().splitlines()
    assert "PrivateDevices=yes" in lines
    assert not any(line.startswith("DeviceAllow") for line in lines)
    assert not any("SupplementaryGroups" in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "PrivateNetwork=yes",
        "PrivateDevices=yes",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0",
        "StateDirectory=doorsill/vault",
    ],
)
def test_the_vault_has_no_network_no_camera_no_dump(line: str) -> None:
    lines = (UNITS / "doorsill-vault.service").read_text().splitlines()
    assert line in lines
    assert not any(each.startswith("DeviceAllow") for each in lines)


def test_vision_is_told_which_user_asks_for_faces() -> None:
    """In a user namespace every other user is nobody, and nobody is not the vault."""
    lines = (UNITS / "doorsill-vision.service").read_text().splitlines()
    assert not any(line.startswith("PrivateUsers") for line in lines)
