"""How long a process has had the processor, as the kernel counts it."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # in a second
USER, SYSTEM = 11, 12  # fields of /proc/PID/stat behind the name


def processor_s(process: int) -> float:
    """User and system time of a process that runs, s."""
    text = Path(f"/proc/{process}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return (int(fields[USER]) + int(fields[SYSTEM])) / TICKS
