"""Programs and forks that a test starts: what they say, and that they end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from limits import END_S, LOOK_S


@contextmanager
def started(
    command: Sequence[str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A program; when this is left it is given END_S, or killed after an error."""
    child = subprocess.Popen(command, **options)
    try:
        yield child
        child.wait(END_S)
    finally:
        child.kill()
        child.wait(END_S)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def first_line(child: subprocess.Popen[bytes]) -> bytes:
    """What the child says first; an AssertionError where it says nothing."""
    assert child.stdout is not None
    assert select.select([child.stdout], [], [], END_S)[0], f"no word within {END_S} s"
    return child.stdout.readline()


def status_of(child: int) -> int:
    """How a fork of ours ended, as os.waitpid says it; killed where it does not."""
    ends = time.monotonic() + END_S
    while time.monotonic() < ends:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            return status
        time.sleep(LOOK_S)
    os.kill(child, signal.SIGKILL)
    raise AssertionError(f"a fork did not end within {END_S} s")
