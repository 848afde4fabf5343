"""Standard error for a process that must not be able to say anything of its own.

    process ── one byte: which sentence ──► scribe ── the sentence ──► standard error

Before it is closed, the process forks a scribe. From then on its own standard error is
/dev/null, and what it logs is compared with a list: the number of the sentence goes to
the scribe, which writes the sentence as it stands on the list and no more than a few a
minute. So neither a picture nor a part of one reaches a journal or a terminal.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOBase
from typing import NoReturn

from doorsill.confine import Confinement, close, restrict

BURST = 12  # sentences that may come at once
EVERY_S = 15.0  # then one more in so many seconds
UNKNOWN = 0xFF  # what is on no list
NOT_KNOWN = "something that is on no list; the exit code says more"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a log line or an error looks like, and what is written for it."""

    pattern: str  # a regular expression, found anywhere in the line
    text: str
    level: str = "INFO"


class Allowance:
    """How much may be written still: a burst, and then a little all the time."""

    def __init__(self, now: float) -> None:
        self._left, self._at = float(BURST), now

    def take(self, now: float) -> bool:
        """Whether one more sentence may be written at ``now``, s."""
        gained = (now - self._at) / EVERY_S
        self._left, self._at = min(float(BURST), self._left + gained), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Scribe(TextIOBase):
    """Our end: something to write lines to, of which numbers are made."""

    def __init__(self, line: int, sentences: Sequence[Sentence]) -> None:
        self._line = line
        self._silence = os.open(os.devnull, os.O_RDWR)  # later it may not be opened
        self._patterns = [re.compile(each.pattern) for each in sentences]
        self._rest = ""

    def take_over(self) -> None:
        """From now on this is the process's standard error; before ``close``."""
        before = sys.stderr
        before.flush()
        for each in (0, 1, 2):  # a terminal can be written to by each of them
            os.dup2(self._silence, each)
        os.close(self._silence)
        sys.stderr = self
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(self)

    def writable(self) -> bool:
        """It is, as standard error is."""
        return True

    def write(self, text: str) -> int:
        """Take text; each whole line becomes one number."""
        *lines, self._rest = (self._rest + text).split("\n")
        for each in lines:
            if each:
                with contextlib.suppress(OSError):  # full: the scribe writes no more
                    os.write(self._line, bytes([number_of(each, self._patterns)]))
        return len(text)


def number_of(line: str, patterns: Sequence[re.Pattern[str]]) -> int:
    """Which sentence of the list a line is; UNKNOWN where it is none."""
    for number, each in enumerate(patterns):
        if each.search(line):
            return number
    return UNKNOWN


def start(name: str, sentences: Sequence[Sentence]) -> Scribe:
    """Fork a scribe, which writes ``name`` in each line; while there is one thread."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        _write_and_end(reader, name, sentences)
    os.close(reader)
    os.set_blocking(writer, False)
    return Scribe(writer, sentences)


def _write_and_end(reader: int, name: str, sentences: Sequence[Sentence]) -> NoReturn:
    """In the new process: until the other end is closed."""
    try:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        os.dup2(reader, 0)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        keep = Confinement("scribe")
        restrict(keep)
        close(keep)
        allowance = Allowance(time.monotonic())
        while numbers := os.read(0, 64):
            for number in numbers:
                if allowance.take(time.monotonic()):
                    os.write(2, _line(name, number, sentences).encode())
    finally:
        os._exit(0)


def _line(name: str, number: int, sentences: Sequence[Sentence]) -> str:
    """One line as the other processes write theirs."""
    known = number < len(sentences)
    each = sentences[number] if known else Sentence("", NOT_KNOWN, "WARNING")
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return f"{now} {each.level} {name}: {each.text}\n"
