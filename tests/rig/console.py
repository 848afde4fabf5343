"""A machine's serial console: wait for words, log in, run commands.

How long anything may take is a number of seconds of a quiet machine, which ``pace``
stretches by how slow this one was measured to be.
"""

from __future__ import annotations

import base64
import re
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .errors import BenchError
from .lines import Line

PROMPT = "hil# "
LOOK_S = 0.2
PIECE_BYTES = 2400  # of a file, in one line that is typed
COMMAND_S = 60.0  # for a command, on a quiet machine
SHOWN = 2000  # bytes of the console in a failure
# What says how slow a machine is: a shell that counts, see ``measure``.
TURNS = 20_000
TURNS_S = 0.25  # what it took on a quiet laptop, in a guest without KVM
MOST_PACE = 20.0
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])|\r")


@dataclass(slots=True)
class Console:
    """What is said on ``line`` is kept in ``log`` with nothing left out."""

    line: Line
    log: Path
    pace: float = 1.0  # how many times slower than a quiet machine
    heard: bytes = b""  # what no wait has taken yet
    _file: IO[bytes] = field(init=False)
    _number: int = 0

    def __post_init__(self) -> None:
        self._file = self.log.open("ab", buffering=0)

    def listen(self, seconds: float) -> None:
        """Take in what is said within ``seconds``."""
        found = self.line.read(seconds)
        self._file.write(found)
        self.heard += found

    def wait(self, pattern: bytes, seconds: float) -> bytes:
        """All up to and with ``pattern``; BenchError after ``seconds`` times pace."""
        limit = seconds * self.pace
        ends = time.monotonic() + limit
        while True:
            if found := re.search(pattern, self.heard):
                before, self.heard = (
                    self.heard[: found.end()],
                    self.heard[found.end() :],
                )
                return before
            if time.monotonic() > ends:
                last = self.heard[-SHOWN:].decode(errors="replace")
                raise BenchError(
                    f"{pattern!r} was not said within {limit:.0f} s, but:\n{last}"
                )
            self.listen(LOOK_S)

    def login(self, seconds: float, user: str = "root") -> None:
        """A shell whose prompt is ours: where a login is asked for, as ``user``."""
        found = self.wait(rb"login: |[#$] $", seconds)
        if found.endswith(b"login: "):
            self.line.write(f"{user}\n".encode())
            self.wait(rb"[#$] ", COMMAND_S)
        # The prompt in two parts, so that its echo is not taken for it.
        ours = "PS1='hi''l# ' PS2= PROMPT_COMMAND= TERM=dumb; set +o emacs"
        self.line.write(f"stty -echo cols 500; {ours}\n".encode())
        self.wait(re.escape(PROMPT).encode(), COMMAND_S)

    def run(self, command: str, seconds: float = COMMAND_S) -> tuple[str, int]:
        """What ``command`` prints, both streams, and its exit status."""
        self._number += 1
        mark = f"hil-{self._number}"
        self.line.write(f'{{ {command}\n}} 2>&1; echo "{mark}"\':\'"$?:"\n'.encode())
        text = self.wait(rf"{mark}:\d+:".encode(), seconds).decode(errors="replace")
        self.wait(re.escape(PROMPT).encode(), COMMAND_S)
        body, _, code = text.rpartition(f"{mark}:")
        return ESCAPES.sub("", body).strip("\n"), int(code.rstrip(":"))

    def must(self, command: str, seconds: float = COMMAND_S) -> str:
        """As :meth:`run`; BenchError if it fails."""
        said, code = self.run(command, seconds)
        if code:
            raise BenchError(f"{command} ended with {code}: {said[-SHOWN:]}")
        return said

    def write_file(self, path: str, data: bytes, mode: str = "644") -> None:
        """A small file, piece by piece: a terminal takes lines of 4,095 bytes."""
        where = shlex.quote(path)
        self.must(f": > {where}; chmod {mode} {where}")
        for at in range(0, len(data), PIECE_BYTES):
            words = base64.b64encode(data[at : at + PIECE_BYTES]).decode()
            self.must(f"echo {words} | base64 -d >> {where}")

    def read_file(self, path: str, seconds: float = COMMAND_S) -> bytes:
        """A small file of the machine's."""
        return base64.b64decode(self.must(f"base64 {shlex.quote(path)}", seconds))

    def measure(self) -> float:
        """How slow this machine is now: the pace of all that follows, at least 1."""
        count = f"i=0; while [ $i -lt {TURNS} ]; do i=$((i+1)); done"
        began = time.monotonic()
        self.must(f"sh -c '{count}'", COMMAND_S * MOST_PACE / self.pace)
        took = time.monotonic() - began
        self.pace = min(max(1.0, took / TURNS_S), MOST_PACE)
        return self.pace

    def close(self) -> None:
        """Hang up."""
        self.line.close()
        self._file.close()
