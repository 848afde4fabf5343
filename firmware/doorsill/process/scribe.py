"""Standard error for a process that must not be able to write any text of its own.

    process ── which sentence, a number ──► scribe ── the sentence ──► standard error

Before the process confines itself, it starts a scribe: sed(1), whose program is the
list of sentences. sed writes a sentence for each number, and ends after MOST of them.
From then on the process's own standard error is /dev/null, and each line that it logs
is compared with the list. So no part of a picture can reach a journal or a terminal.
sed is on every Debian and small; a second interpreter would cost 9 MB.
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
BURST = 12  # sentences that may be written at once
EVERY_S = 15.0  # after a burst, one sentence in this time
NOT_KNOWN = "WARNING {name}: something that is on no list; the exit code says more"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a log line or an error looks like, and what is written for it."""

    pattern: str  # a regular expression, found anywhere in the line
    text: str
    level: str = "INFO"


class Allowance:
    """How many sentences may be written: a burst, then one every EVERY_S."""

    def __init__(self, now: float) -> None:
        self._left, self._at = float(BURST), now

    def take(self, now: float) -> bool:
        """Whether one more sentence may be written at ``now``, monotonic s."""
        gained = (now - self._at) / EVERY_S
        self._left, self._at = min(float(BURST), self._left + gained), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Scribe(TextIOBase):
    """The process's end: a stream whose lines become numbers of sentences."""

    def __init__(
        self,
        line: int,
        sentences: Sequence[Sentence],
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self._line = line
        self._process = process  # kept, or Python would wait for it when it is freed
        self._silence = os.open(os.devnull, os.O_RDWR)  # confined, we may not open it
        self._patterns = [re.compile(each.pattern) for each in sentences]
        self._allowance = Allowance(time.monotonic())
        self._rest = ""

    def take_over(self) -> None:
        """Become the process's standard error; to be called before ``close``."""
        before = sys.stderr
        before.flush()
        for each in (0, 1, 2):  # each of them could write to a terminal
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
                with contextlib.suppress(OSError):  # the scribe ended or does not read
                    os.write(self._line, f"{number}\n".encode())
        return len(text)


def number_of(line: str, patterns: Sequence[re.Pattern[str]]) -> int:
    """The number of the sentence that ``line`` matches; their count if none does."""
    for number, each in enumerate(patterns):
        if each.search(line):
            return number
    return len(patterns)


def start(name: str, sentences: Sequence[Sentence]) -> Scribe:
    """Start a scribe that writes ``name`` in each line; before ``restrict``.

    Raises ConfigError if sed cannot be started.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        with held_back():  # it ends with us, not at a signal, so our last line is kept
            process = subprocess.Popen(
                [SED, "--unbuffered", *program(name, sentences)],
                stdin=reader,
                stdout=2,
                env={},
            )
    except OSError as error:
        os.close(writer)
        raise ConfigError(f"cannot start {SED}: {error.strerror}") from None
    finally:
        os.close(reader)
    os.set_blocking(writer, False)
    return Scribe(writer, sentences, process)


def program(name: str, sentences: Sequence[Sentence]) -> list[str]:
    """The program for sed: any line becomes one of the sentences."""
    lines = []
    for number, each in enumerate(sentences):
        lines += [f"s/^{number}$/{each.level} {name}: {each.text}/", "t said"]
    lines += [f"s/^.*$/{NOT_KNOWN.format(name=name)}/", ": said", f"{MOST}q"]
    return [word for line in lines for word in ("-e", line)]
