"""How the device fares, as numbers from the kernel: nothing about anybody."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def resident_kib() -> int:
    """Resident memory of this process in KiB, 0 where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError):
        text = Path("/proc/self/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return 0
