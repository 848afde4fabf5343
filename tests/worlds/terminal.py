"""A person at a terminal: a program with a terminal of its own, and what is typed."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from limits import END_S, PROGRAM_S

# getpass speaks to the terminal that controls the process, so it gets one.
PROGRAM = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from doorsill_fleet.cli.main import main
main(sys.argv[1:])
"""

# For a program that draws on a terminal, whatever the tests run in.
DRAWS = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}


def drawn(ours: int) -> bytes:
    """All that comes to a terminal until nobody has its other end open."""
    shown = b""
    with suppress(OSError):  # how a terminal says that it is closed
        while select.select([ours], [], [], END_S)[0]:
            shown += os.read(ours, 4096)
    return shown


def typed(
    words: Sequence[str], answers: Sequence[tuple[str, str]], folder: Path
) -> tuple[int, str]:
    """Run `doorsill-fleet` and type each answer after its prompt; code and screen."""
    ours, theirs = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    screen, left, seen = "", list(answers), 0
    ends = time.monotonic() + PROGRAM_S
    try:
        while time.monotonic() < ends:
            if left and left[0][0] in screen[seen:]:
                seen = screen.index(left[0][0], seen) + len(left[0][0])
                os.write(ours, left.pop(0)[1].encode() + b"\n")
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            data = b""
            with suppress(OSError):  # the other end is closed
                data = os.read(ours, 4096)
            if not data:
                break
            screen += data.decode("utf-8", "replace")
        return child.wait(PROGRAM_S), screen
    finally:
        os.close(ours)
        child.kill()
        child.wait(PROGRAM_S)
