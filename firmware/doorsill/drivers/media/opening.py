"""The medium of a vault by its name."""

from __future__ import annotations

from pathlib import Path

from doorsill.drivers.media.medium import Medium
from doorsill.drivers.media.memory import MemoryMedium


def open_medium(name: str, size: int) -> Medium:
    """Open the medium called ``name``: ``memory``, ``spi:DEVICE``, or a path.

    A path may be a file, made with ``size`` bytes, or a partition, used whole. All that
    it holds is overwritten at every start of the vault. Raises ConfigError where it
    cannot be used.
    """
    if name == "memory":
        return MemoryMedium(size)
    if name.startswith("spi:"):
        from doorsill.drivers.media.sram import open_sram

        return open_sram(Path(name.removeprefix("spi:")))
    from doorsill.drivers.media.disk import DiskMedium

    return DiskMedium(Path(name), size)
