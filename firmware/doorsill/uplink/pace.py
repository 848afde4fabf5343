"""When something may be said, so that the moment itself says little.

A window could be sent when it is ready, and then *when* it is sent would be vision's to
choose. So what waits goes out at one second of each minute, everything together; the
state is looked at every ten seconds and changes once a minute; what vision says of
itself is taken every half hour. ``capacity.py`` counts what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds; tests make them short."""

    minute_s: float = 60.0  # between two moments at which windows go out
    after_s: float = 10.0  # from the end of a minute to that moment
    live_s: float = 60.0  # between two accounts of the totals
    state_s: float = 10.0  # between two looks at vision, for the state
    state_rest_s: float = 60.0  # between two changes of what is seen there
    gauges_s: float = 1800.0  # between two looks at what vision says of itself


@dataclass(slots=True)
class Moments:
    """The moments of one kind: every ``every_s`` seconds of UTC, ``after_s`` late."""

    every_s: float
    after_s: float = 0.0
    _last: float | None = field(default=None)

    def due(self, utc: float) -> bool:
        """Whether a moment has come since the last call; the first always has."""
        if self.every_s <= 0:
            return True
        number = (utc - self.after_s) // self.every_s
        if number == self._last:
            return False
        self._last = number
        return True
