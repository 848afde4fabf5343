"""Programs and forks that a test starts: what they say, and that they end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limits import END_S, LOOK_S, PROGRAM_S


@contextmanager
def hearing_ctrl_c() -> Iterator[None]:
    """A program that is started meanwhile hears SIGINT, also where this one does not.

    A shell without job control ignores SIGINT in what it starts with ``&``, and every
    program that this one starts inherits that. So it should be in the product; a test
    that sends SIGINT must not depend on who started it.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def started(
    command: Sequence[str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A program; when this is left it is given END_S, or killed after an error.

    It hears SIGINT.
    """
    with hearing_ctrl_c():
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


def printed(*words: str | Path) -> str:
    """What a program prints that must end well."""
    done = subprocess.run(
        [str(word) for word in words],
        check=True,
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
    )
    return done.stdout


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


def children_of(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """The processes of ``doorsill run``, by the word after ``--only``."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            words = (path / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if parent == process.pid and "--only" in words:
            found[words[words.index("--only") + 1]] = int(path.name)
    return found


def cut_power(process: subprocess.Popen[bytes]) -> None:
    """End ``doorsill run`` and its processes as a power cut does: none does a thing."""
    process.send_signal(signal.SIGSTOP)  # or it would stop the others in good order
    for pid in children_of(process).values():
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait(END_S)


# The beginning of a program that dies with SIGKILL at its ``at``-th step on the disk;
# its words are a folder and that number.
DIES_AT = """\
import os, signal, sys
from pathlib import Path
folder, at = Path(sys.argv[1]), int(sys.argv[2])
calls = 0
def dying(real):
    def call(*given, **named):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    return call
for name in ("open", "fsync", "close"):
    setattr(os, name, dying(getattr(os, name)))
Path.replace = dying(Path.replace)
"""
