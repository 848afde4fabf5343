"""Standard error for a process that must not be able to say anything of its own.

    process ── which sentence, a number ──► scribe ── the sentence ──► standard error

Before it is closed, the process starts a scribe: sed(1), which has the list as its
program, puts a sentence in the place of each number, and ends after so many. From then
on the process's own standard error is /dev/null, and what it logs is compared with the
list. So neither a picture nor a part of one reaches a journal or a terminal. sed, as it
is on every Debian and small: a second interpreter would cost 9 MB.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOBase

from doorsill.errors import ConfigError
from doorsill.process.stopping import held_back

SED = "/bin/sed"
MOST = 1000  # sentences in the life of a process; then the scribe ends
BURST = 12  # sentences that we ask for at once
EVERY_S = 15.0  # then one more in so many seconds
NOT_KNOWN = "WARNING {name}: something that is on no list; the exit code says more"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a log line or an error looks like, and what is written for it."""

    pattern: str  # a regular expression, found anywhere in the line
    text: str
    level: str = "INFO"


class Allowance:
    """How much we say: a burst, and then a little all the time."""

    def __init__(self, now: float) -> None:
        self._left, self._at = float(BURST), now

    def take(self, now: float) -> bool:
        """Whether one more sentence may be said at ``now``, s."""
        gained = (now - self._at) / EVERY_S
        self._left, self._at = min(float(BURST), self._left + gained), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Scribe(TextIOBase):
    """Our end: something to write lines to, of which numbers are made."""

    def __init__(
        self,
        line: int,
        sentences: Sequence[Sentence],
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self._line = line
        self._process = process  # or Python would ask after it when it is forgotten
        self._silence = os.open(os.devnull, os.O_RDWR)  # later it may not be opened
        self._patterns = [re.compile(each.pattern) for each in sentences]
        self._allowance = Allowance(time.monotonic())
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
            if each and self._allowance.take(time.monotonic()):
                number = number_of(each, self._patterns)
                with contextlib.suppress(OSError):  # it has ended, or does not read
                    os.write(self._line, f"{number}\n".encode())
        return len(text)


def number_of(line: str, patterns: Sequence[re.Pattern[str]]) -> int:
    """Which sentence of the list a line is; their count where it is none."""
    for number, each in enumerate(patterns):
        if each.search(line):
            return number
    return len(patterns)


def start(name: str, sentences: Sequence[Sentence]) -> Scribe:
    """Start a scribe, which writes ``name`` in each line; before ``restrict``.

    Raises ConfigError where there is no sed.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        with held_back():  # it ends with us, and not at a signal: our last word is due
            process = subprocess.Popen(
                [SED, "--unbuffered", *program(name, sentences)],
                stdin=reader, stdout=2, env={},
            )  # fmt: skip
    except OSError as error:
        os.close(writer)
        raise ConfigError(f"cannot start {SED}: {error.strerror}") from None
    finally:
        os.close(reader)
    os.set_blocking(writer, False)
    return Scribe(writer, sentences, process)


def program(name: str, sentences: Sequence[Sentence]) -> list[str]:
    """For sed: whatever a line is, what leaves is one of the sentences."""
    lines = []
    for number, each in enumerate(sentences):
        lines += [f"s/^{number}$/{each.level} {name}: {each.text}/", "t said"]
    lines += [f"s/^.*$/{NOT_KNOWN.format(name=name)}/", ": said", f"{MOST}q"]
    return [word for line in lines for word in ("-e", line)]
