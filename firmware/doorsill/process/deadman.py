"""Acts at a set time, even if the thread that set it is blocked.

A card that answers moves the time on. If nothing moves it on, because the card is
silent or because a disk blocks the thread that decides, the key is destroyed all the
same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

NEVER = float("inf")  # no time is set


class Deadman:
    """One time and one act; its thread begins with the first time that is set."""

    def __init__(self, act: Callable[[], object], clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that never go back."""
        self._act, self._clock = act, clock
        self._due = NEVER
        self._ended = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def set(self, due: float) -> None:
        """Act at ``due`` (seconds of the clock) unless another time is set before."""
        with self._changed:
            if due == self._due:
                return
            self._due = due
            if self._thread is None and due != NEVER:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Act no more."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(1.0)

    def _watch(self) -> None:
        with self._changed:
            while not self._ended:
                left = self._due - self._clock()
                if left <= 0:
                    self._due = NEVER
                    self._act()
                else:
                    self._changed.wait(None if self._due == NEVER else left)
