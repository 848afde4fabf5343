"""When a frame was taken, and whether it still is of use: pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field

LATE_S = 0.5  # a live frame that is older than this is left out
DRIFT = 1e-3  # a camera's clock runs slower than ours by this share at most


@dataclass(slots=True)
class SourceClock:
    """Maps the time stamps of a live source to our monotonic clock.

    The smallest delay seen so far is the delay of an idle line; what arrives later than
    that waited somewhere. The estimate leaks upwards so that a slow camera clock is not
    taken for a growing delay.
    """

    _offset: float = field(default=float("inf"))  # of our clock from the stamps, s
    _seen: float = field(default=float("-inf"))  # when the last frame came, s

    def time(self, stamp: float, now: float) -> float:
        """When the frame with this ``stamp`` was taken, in seconds of our clock.

        ``stamp`` is seconds of the source's clock, ``now`` monotonic seconds.
        """
        leak = max(0.0, now - self._seen) * DRIFT if self._seen > float("-inf") else 0.0
        self._offset = min(now - stamp, self._offset + leak)
        self._seen = now
        return stamp + self._offset


@dataclass(slots=True)
class FrameRate:
    """Lets at most ``most`` frames a second through, evenly; None lets all through."""

    most: float | None
    _due: float = field(default=float("-inf"))  # when the next frame is due, s

    def takes(self, time: float) -> bool:
        """Whether the frame of this ``time`` (s) is one of those to deliver."""
        if self.most is None:
            return True
        interval = 1.0 / self.most
        if time < self._due - 1e-3:
            return False
        # Keeps to the grid while frames are on time and begins a new one after a gap.
        on_grid = self._due + interval
        self._due = on_grid if on_grid > time else time + interval
        return True
