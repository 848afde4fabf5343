"""Programs of the image's own Debian, started on the machine that builds.

What the machine that builds has of its own may be older or newer, and packs the same
files into other bytes. These are unpacked from the lock, and run with their own
libraries; they are for amd64.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from doorsill.errors import ConfigError
from image.steps import PROGRAM_S

PYTHON = "usr/bin/python3.13"
MKSQUASHFS = "usr/bin/mksquashfs"
DEPMOD = "usr/sbin/depmod"
LEVEL = 6  # of gzip: the kernel unpacks it at each boot
PACK = """\
import gzip, sys
data = gzip.compress(sys.stdin.buffer.read(), int(sys.argv[1]), mtime=0)
sys.stdout.buffer.write(data)
"""
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = "ld-linux-x86-64.so.2"


def command(folder: Path, program: str) -> list[str | Path]:
    """The words that start ``program``, one of the paths above, of ``folder``."""
    libraries = folder / LIBRARIES
    places = (libraries / LOADER, folder / "lib64" / LOADER)
    loader = next(each for each in places if each.exists())
    return [loader, "--library-path", libraries, folder / program]


def packed(folder: Path, data: bytes) -> bytes:
    """``data`` as gzip packs it; ConfigError where that fails."""
    words = [*command(folder, PYTHON), "-I", "-B", "-c", PACK, str(LEVEL)]
    done = subprocess.run(
        [str(word) for word in words],
        input=data,
        env={"PYTHONHOME": str(folder / "usr")},
        capture_output=True,
        timeout=PROGRAM_S,
        check=False,
    )
    if done.returncode != 0:
        raise ConfigError(f"gzip of the lock ended with {done.returncode}")
    return done.stdout
