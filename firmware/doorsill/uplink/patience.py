"""How long the uplink waits for a broker, and before it tries again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds; tests make them short."""

    connect_s: float = 5.0  # limit for each address of the broker
    keepalive_s: int = 30  # longest silence on a connection
    ack_s: float = 20.0  # limit for the answer to a message
    least_wait_s: float = 1.0  # shortest wait before a new connection
    most_wait_s: float = 60.0  # longest wait before a new connection
    steady_s: float = 30.0  # after a shorter connection the wait doubles
    farewell_s: float = 2.0  # limit for each step of leaving

    def patience(self, before_s: float, lasted_s: float, taken_over: bool) -> float:
        """The wait in s after a connection that lasted ``lasted_s``.

        ``before_s`` was the wait before. It doubles after each connection that was
        refused or short. So a revoked device does not overload the broker, and two
        clients with one certificate do not disconnect each other again and again.
        """
        if taken_over:
            return self.most_wait_s
        wanted = self.least_wait_s if lasted_s >= self.steady_s else before_s * 2
        return min(wanted, self.most_wait_s)


def spread(wait_s: float) -> float:
    """A random time from half to one and a half of ``wait_s``.

    So the cameras of a chain do not all connect at once.
    """
    return wait_s * (0.5 + secrets.randbelow(1000) / 1000)
