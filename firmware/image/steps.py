"""How a build speaks and runs programs: stages with seconds, errors with words."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from doorsill.errors import ConfigError

PROGRAM_S = 1800.0  # for one program; the slowest takes a minute on a quiet machine
# What a script may find on PATH as root, and a user may not.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Say ``what`` is done now, and afterwards the seconds it took, all and our own."""
    sys.stdout.write(f"image: {what} ...\n")
    sys.stdout.flush()
    began, used = time.monotonic(), _processor_s()
    yield
    took, own = time.monotonic() - began, _processor_s() - used
    sys.stdout.write(f"image: {what}: {took:.1f} s ({own:.1f} s of processor)\n")
    sys.stdout.flush()


def _processor_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def run(
    command: Sequence[str | Path],
    epoch: int | None = 0,
    cwd: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> str:
    """What ``command`` prints; ConfigError has its last words where it fails.

    ``epoch``: UTC s, the only time that a program may put into what it makes.
    """
    words = [str(word) for word in command]
    fixed = {"PATH": PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    inherited = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    if epoch is None:  # its arguments say it, and it takes only one of both
        del inherited["SOURCE_DATE_EPOCH"]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**inherited, **fixed, **(settings or {})},
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROGRAM_S,
        )
    except FileNotFoundError:
        raise ConfigError(
            f"{words[0]} is missing; `make image` installs what is needed"
        ) from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ConfigError(f"{' '.join(words[:3])} ended with {done.returncode}: {said}")
    return done.stdout
