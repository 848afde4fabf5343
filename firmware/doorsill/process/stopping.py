"""SIGTERM, SIGINT, SIGHUP: a process is asked to stop once, even if signals repeat.

A signal is only noted. It raises nothing in an import, between two steps of bookkeeping
or while the process ends. Code that waits for long does so inside ``waiting``, which
alone is interrupted. If something fails after the signal, the signal counts as the
cause.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from doorsill.process.kernel import prctl, require

# SIGHUP: the terminal is gone; children without a terminal would stay.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARENT = "DOORSILL_PARENT"  # in a child's environment: the process it must not outlive
PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """A signal came during ``waiting``."""


class Stop:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False
        self._bell: int | None = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A wait that a signal interrupts with Stopped, also if it came before.

        Work inside must be safe to throw away half done.
        """
        self._waiting = True
        try:
            self.check()
            yield
        finally:
            self._waiting = False

    def check(self) -> None:
        """Raise Stopped if a signal came; for between two steps of a long start."""
        if self.asked:
            raise Stopped

    def bell(self) -> int:
        """A handle that becomes readable with the first signal, for select and poll."""
        if self._bell is None:
            self._bell = os.eventfd(int(self.asked), os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return self._bell

    def heard(self, number: int, frame: FrameType | None) -> None:
        """The handler of these signals."""
        first, self.asked = not self.asked, True
        if first and self._bell is not None:
            os.eventfd_write(self._bell, 1)
        if self._waiting:
            self._waiting = (
                False  # a second signal must not raise while Stopped is handled
            )
            raise Stopped


_stop = Stop()


def listen() -> Stop:
    """Handle the signals from now on, also those that were held back until now.

    There is one Stop in a process. To be called in its main thread.
    """
    for each in SIGNALS:
        if each == signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN:
            continue  # started by nohup(1): it must outlive its terminal
        signal.signal(each, _stop.heard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return _stop


def end_with_parent() -> None:
    """If ``PARENT`` names a process, SIGTERM comes when that process ends, also by -9.

    Without it a killed ``doorsill run`` would leave processes that count on, and that
    no new start could replace. To be called after ``listen``. Raises ConfigError if the
    kernel refuses.
    """
    parent = os.environ.get(PARENT)
    if parent is None:
        return
    require(prctl(PR_SET_PDEATHSIG, signal.SIGTERM), "end with the parent process")
    if str(os.getppid()) != parent:  # it ended before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def deaf() -> None:
    """Ignore the signals from now on: the process is about to end by itself.

    Python removes its handlers before it exits; a signal after that would end the
    process with the signal's own exit code.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back; a child that is started so handles them after ``listen``."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
