"""The device's health, as numbers from the kernel: nothing about people.

``root`` is the folder that holds proc and sys. What the kernel does not say is None, 0
or "unknown".
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

ROOT = Path("/")
MIB = 1 << 20  # bytes
UNDER_VOLTAGE = 1 << 0  # bit of the firmware's word: at this moment
THROTTLED = 0b1110  # bits of the firmware's word: at this moment
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"  # Raspberry Pi OS
WARNING = "sys/class/hwmon/hwmon*/in0_lcrit_alarm"  # any kernel on a Raspberry Pi


def resident_kib() -> int:
    """Resident memory of this process in KiB, 0 where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError):
        text = Path("/proc/self/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return 0


def temperature_c(root: Path = ROOT) -> int | None:
    """The hottest of the machine's own sensors, in whole degrees Celsius."""
    found = []
    for path in (root / "sys/class/thermal").glob("thermal_zone*/temp"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(path.read_text("ascii")) // 1000)
    likely = [each for each in found if -50 <= each <= 150]
    return max(likely, default=None)


def power(root: Path = ROOT) -> str:
    """At this moment: unknown, good, throttled (by heat or current), under_voltage."""
    with contextlib.suppress(OSError, ValueError):
        bits = int((root / FIRMWARE).read_text("ascii").strip(), 16)
        if bits & UNDER_VOLTAGE:
            return "under_voltage"
        return "throttled" if bits & THROTTLED else "good"
    for path in root.glob(WARNING):
        with contextlib.suppress(OSError, ValueError):
            if (path.parent / "name").read_text("ascii").strip() == "rpi_volt":
                return "under_voltage" if int(path.read_text("ascii")) else "good"
    return "unknown"


def disk_free_mib(folder: Path) -> int:
    """What is left of the file system under ``folder``, in whole MiB.

    Raises OSError where the folder cannot be read.
    """
    return shutil.disk_usage(folder).free // MIB
