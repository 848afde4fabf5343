"""When messages may be sent, so that the moment of sending reveals little.

If a window were sent when it is ready, vision could choose that moment, and hide
something in it. So all waiting windows go out together at one second of each minute.
The state is sampled every ten seconds and changes at most once a minute. What vision
says of itself is sampled every half hour. ``capacity.py`` counts what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pace:
    """All in seconds; tests make them short."""

    minute_s: float = 60.0  # between two moments at which windows go out
    after_s: float = 10.0  # from the end of a minute to that moment
    live_s: float = 60.0  # between two messages of the totals
    state_s: float = 10.0  # between two samples of vision's state
    state_rest_s: float = 60.0  # least time between two changes of that state
    gauges_s: float = 1800.0  # between two samples of what vision says of itself


@dataclass(slots=True)
class Moments:
    """The moments of one kind: every ``every_s`` seconds of UTC, ``after_s`` late."""

    every_s: float
    after_s: float = 0.0
    _last: float | None = field(default=None)

    def due(self, utc: float) -> bool:
        """Whether a moment has come since the last call; True at the first call."""
        if self.every_s <= 0:
            return True
        number = (utc - self.after_s) // self.every_s
        if number == self._last:
            return False
        self._last = number
        return True
