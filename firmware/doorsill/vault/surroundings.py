"""What the kernel says of this machine, for a certificate. It only reads files."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import time
from pathlib import Path

from doorsill.certificates import claims
from doorsill.certificates.claims import printable
from doorsill.process.kernel import prctl
from doorsill.vault.chain import Surroundings

PR_GET_DUMPABLE = 3
DEVICES_MOST = 32  # disks that one certificate names
# Folders, besides /proc, that these functions read.
READ = tuple(
    Path("/", each)
    for each in ("sys", "run/systemd/timesync", "run/log/journal", "var/log/journal")
)
NOT_DISKS = ("loop", "ram", "zram")  # block devices without a medium of their own


def observe(firmware: str, root: Path = Path("/")) -> Surroundings:
    """The surroundings now; ``firmware`` is :func:`firmware_digest`, taken once.

    ``root`` is the folder that holds proc, sys, run and var.
    """
    return Surroundings(
        boot=boot_id(root),
        firmware=firmware,
        swap_bytes=_swap_bytes(root),
        core_dumps=_core_dumps(root),
        journal=_journal(root),
        sectors_written=_sectors_written(root),
        utc_ms=time.time_ns() // 1_000_000,
        time_source=_time_source(root),
    )


def boot_id(root: Path = Path("/")) -> str:
    """The kernel's random id of this boot."""
    return (root / "proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def firmware_digest() -> str:
    """SHA-256 over the name and content of every module of the installed package."""
    package = Path(__file__).parent.parent
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(f"{path.relative_to(package).as_posix()}\n".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _swap_bytes(root: Path) -> int:
    """Bytes of swap that are switched on, used or not."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (root / "proc/swaps").read_text("ascii").splitlines()[1:]
        return sum(int(line.split()[2]) for line in lines) * 1024
    return 0


def _core_dumps(root: Path) -> str:
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    if limit == (0, 0) or prctl(PR_GET_DUMPABLE) == 0:
        return "off"
    with contextlib.suppress(OSError):
        pattern = (root / "proc/sys/kernel/core_pattern").read_text().strip()
        return printable(f"to {pattern}")
    return "not known"


def _journal(root: Path) -> str:
    if (root / "var/log/journal").is_dir():
        return "persistent"
    return "volatile" if (root / "run/log/journal").is_dir() else "none"


def _sectors_written(root: Path) -> dict[str, int]:
    """Sectors of 512 bytes written since boot, by disk (Linux, iostats.rst)."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for path in sorted((root / "sys/block").iterdir())[:256]:
            # A USB disk that is plugged in again counts from 0 again; the verifier
            # would take that for tampering.
            if path.name.startswith(NOT_DISKS) or "/usb" in str(path.resolve()):
                continue
            if printable(path.name) != path.name:
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                found[path.name] = int((path / "stat").read_text("ascii").split()[6])
    return dict(list(found.items())[:DEVICES_MOST])


def _time_source(root: Path) -> str:
    if (root / "run/systemd/timesync/synchronized").exists():
        return claims.SYNCHRONISED
    return claims.NOT_SYNCHRONISED
