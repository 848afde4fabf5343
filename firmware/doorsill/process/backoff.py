"""How long to wait before the next try: doubled with each failure, up to a minute."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_WAIT_S = 0.5  # after one failure
LONGEST_WAIT_S = 60.0  # after many failures
SETTLED_S = 15.0  # after so long without failure the waits start again


def wait_after(failures: int) -> float:
    """Seconds to wait after this many failures in a row."""
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30)))


@dataclass(slots=True)
class Failures:
    """How many failures came in a row; after SETTLED_S without one, 0 again."""

    in_a_row: int = 0
    total: int = 0  # failures since the start
    _since: float | None = None  # when it last began to work, monotonic s

    def works(self, now: float) -> None:
        """Note that it works at ``now``, monotonic s."""
        if self._since is None:
            self._since = now

    def failed(self, now: float) -> float:
        """Note a failure at ``now``, monotonic s; returns the seconds to wait."""
        if self._since is not None and now - self._since >= SETTLED_S:
            self.in_a_row = 0
        self._since = None
        self.in_a_row += 1
        self.total += 1
        return wait_after(self.in_a_row)
