"""What units say, what systemd finds wrong with them, and how open it finds them."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from limits import PROGRAM_S
from places import ROOT

CAMERA, OFFICE = ROOT / "firmware/systemd", ROOT / "provisioning/systemd"
SYSTEM = Path("/usr/lib/systemd/system")  # of this machine: the targets ours stand on


@cache
def settings(unit: Path) -> dict[str, list[str]]:
    """What a unit says: each key with its values in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def words(unit: Path, key: str) -> list[str]:
    """All values of ``key`` as words, whichever line they stand on."""
    return " ".join(settings(unit).get(key, [])).split()


def verified(root: Path, *units: str) -> str:
    """What ``systemd-analyze verify`` complains of; it asks man for the manual page."""
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", *units],
        env={**os.environ, "MANPATH": str(root / "usr/share/man")},
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    return done.stdout + done.stderr


def exposure(unit: Path) -> float:
    """systemd's own score: 0 is shut, 10 is open."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def sysusers(file: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """What systemd would make of a list of users, on an empty machine."""
    (root / "etc").mkdir(exist_ok=True)
    return subprocess.run(
        ["systemd-sysusers", "--dry-run", f"--root={root}", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
