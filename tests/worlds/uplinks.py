"""What an uplink in a test is told, and vision's end of its link."""

from __future__ import annotations

from pathlib import Path

from doorsill.channels.cell_link import CellClient
from doorsill.errors import UplinkError
from doorsill.uplink.attributes import AttributeRules
from doorsill.uplink.pace import Pace
from doorsill.uplink.pieces import Places
from doorsill.uplink.reports import Release

RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)
RULES = AttributeRules(
    attributes=True, k=10, daily_micro=2_000_000, places=Places(1, 0)
)
AT_ONCE = Pace(
    minute_s=0.0, live_s=0.0, state_s=0.0, state_rest_s=0.0, gauges_s=0.0
)  # what waits goes out with the next turn


def connected(path: Path) -> CellClient | None:
    """Vision's end, or None while nobody listens there."""
    try:
        return CellClient(path)
    except UplinkError:
        return None
