"""Whether the clock can be right: it has a source, and a time before which it is wrong.

A Raspberry Pi has no clock of its own that runs without power. Until the network sets
it, it is where it was when the power went, or in 1970.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

# No device runs this program before it was written. Set again with each release.
RELEASED = datetime(2026, 11, 28, tzinfo=UTC).timestamp()  # UTC s
SYNCHRONISED = "run/systemd/timesync/synchronized"  # systemd-timesyncd.service(8)
CHRONY = "run/chrony/chronyd.pid"  # chronyd(8)
SLACK_S = 3600.0  # a signer's clock may be ahead by this much (fleet: ca.authority)


def floor_of(known: list[float]) -> float:
    """The latest moment that lies in the past for sure, UTC s.

    ``known`` are moments of which this device has proof: when a certificate began, when
    the policy in force was put there.
    """
    return max([RELEASED, *known]) - SLACK_S


def when_written(path: Path) -> list[float]:
    """When ``path`` was last written, UTC s by our own clock; empty without it."""
    with contextlib.suppress(OSError):
        return [path.stat().st_mtime]
    return []


def is_synchronised(root: Path = Path("/")) -> bool:
    """Whether the network has set the clock since the start, as far as is known."""
    return (root / SYNCHRONISED).exists() or (root / CHRONY).exists()
