"""Real block devices and file systems, in a file that the test can search."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from limits import PROGRAM_S

SECTOR = 512  # bytes


def loop_device(image: Path, *options: str) -> str | None:
    """A loop device on ``image``, or None where this machine has none."""
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        return None
    command = ["losetup", "--find", "--show", *options, str(image)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PROGRAM_S
    )
    return done.stdout.strip() or None


def require_loop(image: Path) -> str:
    loop = loop_device(image)
    if loop is None:
        pytest.skip("no loop device, or not root")
    return loop


def detach(loop: str) -> None:
    subprocess.run(["losetup", "--detach", loop], check=True, timeout=PROGRAM_S)


@contextmanager
def mounted(
    folder: Path, megabytes: int, *options: str, kind: str = "ext4", make: str = ""
) -> Iterator[tuple[Path, Path]]:
    """A new file system in ``folder``: where it is mounted, and its device.

    ``options`` are mount's, ``make`` is one word for mkfs. Skips where the machine has
    no loop device, no such file system, or where we are not root.
    """
    maker = shutil.which(f"mkfs.{kind}", path=os.environ["PATH"] + ":/usr/sbin")
    if maker is None:
        pytest.skip(f"no mkfs.{kind}")
    image, at = folder / "device.img", folder / "mounted"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    loop = require_loop(image)
    try:
        words = [*make.split(), *(("-q",) if kind == "ext4" else ()), loop]
        subprocess.run(
            [maker, *words], check=True, capture_output=True, timeout=PROGRAM_S
        )
        how = ["-o", ",".join(options)] if options else []
        mount = ["mount", "-t", kind, *how, loop, str(at)]
        if subprocess.run(
            mount, capture_output=True, check=False, timeout=PROGRAM_S
        ).returncode:
            pytest.skip(f"this kernel does not mount {kind} {' '.join(options)}")
        try:
            yield at, Path(loop)
        finally:
            subprocess.run(["umount", str(at)], check=True, timeout=PROGRAM_S)
    finally:
        detach(loop)
        image.unlink()


def left_on(device: Path, sealed: bytes) -> int:
    """How many sectors of what was ``sealed`` on a medium lie anywhere on ``device``.

    A medium begins with a sector, and ciphertext has no two alike, so that
    eight bytes of each tell them apart (not the first: a nonce may be there).
    """
    os.sync()
    handle = os.open(device, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        with os.fdopen(os.dup(handle), "rb") as file:
            raw = file.read()
    finally:
        os.close(handle)
    return int(np.isin(heads(sealed), heads(raw)).sum())


def heads(data: bytes) -> np.ndarray:
    whole = len(data) // SECTOR * SECTOR
    return np.frombuffer(data[:whole], np.uint64).reshape(-1, SECTOR // 8)[:, 8]
