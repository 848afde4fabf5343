"""SIGTERM, SIGINT, SIGHUP: a process is asked to stop once, however often it is told.

A signal never raises where it strikes, in an import, in a bookkeeping line or in the
middle of the end: it is noted, and whoever waits for long says so with ``waiting``,
which alone is broken off. Where something fails after the signal, the signal is the
cause that counts.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

# SIGHUP: the terminal is gone, and children that have none would stay.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):
    """Whoever waited was told to stop."""


class Stop:
    """Whether this process was told to stop."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False
        self._bell: int | None = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A wait that a signal breaks off: raises Stopped, also where it came before.

        What is done inside must be worth nothing when it is broken off.
        """
        self._waiting = True
        try:
            self.check()
            yield
        finally:
            self._waiting = False

    def check(self) -> None:
        """Raise Stopped if the signal came: between two steps of a long start."""
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
            self._waiting = False  # a second one must not strike while the first ends
            raise Stopped


_stop = Stop()


def listen() -> Stop:
    """Hear the signals from now on, those that waited for us included.

    There is one Stop in a process; to be called in its main thread.
    """
    for each in SIGNALS:
        if each == signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN:
            continue  # nohup(1): it is to outlive its terminal
        signal.signal(each, _stop.heard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return _stop


def deaf() -> None:
    """Hear no signal any more: the process is over, and nothing shall end it sooner.

    Python forgets its handlers before it is gone, and a signal would then be what the
    process ended with.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals wait meanwhile; a child that is started so gets its own in ``listen``."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
