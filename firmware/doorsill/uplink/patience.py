"""How long we wait for a broker, and how long before we try again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; tests make them short."""

    connect_s: float = 5.0
    keepalive_s: int = 30
    ack_s: float = 20.0
    least_wait_s: float = 1.0
    most_wait_s: float = 60.0
    steady_s: float = 30.0  # a connection that ends sooner makes us more patient
    farewell_s: float = 2.0

    def patience(self, before_s: float, lasted_s: float, taken_over: bool) -> float:
        """The wait after a connection of ``lasted_s``; the one before was ``before_s``.

        Longer after each that was refused or short: a device that is revoked does not
        hammer, and two clients with one certificate do not throw each other out for
        ever.
        """
        if taken_over:
            return self.most_wait_s
        wanted = self.least_wait_s if lasted_s >= self.steady_s else before_s * 2
        return min(wanted, self.most_wait_s)


def spread(wait_s: float) -> float:
    """``wait_s`` give or take half: the cameras of a chain do not all come at once."""
    return wait_s * (0.5 + secrets.randbelow(1000) / 1000)
