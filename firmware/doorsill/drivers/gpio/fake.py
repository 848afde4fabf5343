"""GPIO lines in memory: the fakes beside ``line.py`` and ``output.py``."""

from __future__ import annotations

import threading
import time


class FakeLine:
    """One line that is read, driven by ``set``.

    Every edge is kept until ``wait`` is called, as the kernel does.
    """

    def __init__(self, on: bool = False) -> None:
        self._on = on
        self._edges = 0
        self._gone = False
        self._changed = threading.Condition()
        self.released = False

    def set(self, on: bool) -> None:
        """Turn it; setting what it is already is no edge."""
        with self._changed:
            self._edges += on != self._on
            self._on = on
            self._changed.notify_all()

    def vanish(self) -> None:
        """The chip is unplugged: every call fails from now on."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def read(self) -> bool:
        """The level; OSError once the chip is gone."""
        self._require()
        return self._on

    def wait(self, seconds: float) -> bool:
        """Whether there was an edge, waiting at most ``seconds`` for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._edges or self._gone, seconds)
            self._require()
            edges, self._edges = self._edges, 0
            return edges > 0

    def release(self) -> None:
        """Note that it was given back."""
        self.released = True

    def _require(self) -> None:
        if self._gone:
            raise OSError(19, "No such device")


class FakeOutput:
    """One line that is driven; it can vanish, or be held by a short circuit."""

    def __init__(self) -> None:
        self.on = True  # as the process before left it
        self.held: bool | None = None  # level of a short circuit
        self.gone = False
        self.released = False
        self.rises: list[float] = []  # monotonic s of each rising edge

    def write(self, on: bool) -> None:
        """Drive it; OSError once the chip is gone."""
        self._require()
        if on and not self.on:
            self.rises.append(time.monotonic())
        self.on = on

    def read(self) -> bool:
        """Its level, which a short circuit decides; OSError once the chip is gone."""
        self._require()
        return self.on if self.held is None else self.held

    def release(self) -> None:
        """Note that it was given back."""
        self.released = True

    def _require(self) -> None:
        if self.gone:
            raise OSError(19, "No such device")
