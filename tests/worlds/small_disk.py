"""A file system of two megabytes, and what fills it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from limits import END_S


@contextmanager
def small_disk_at(where: Path) -> Iterator[Path]:
    """A file system of two megabytes at ``where``, which is made."""
    if os.geteuid() != 0:
        pytest.skip("no mount without root")
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(where)]
    subprocess.run(mount, check=True, timeout=END_S)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True, timeout=END_S)


def fill(where: Path, leave: int = 0) -> Path:
    """Fill it but for ``leave`` bytes; the file that does."""
    filler = where / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    if leave:
        os.truncate(filler, max(0, filler.stat().st_size - leave))
    return filler
