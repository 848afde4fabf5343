"""One gate and one token without a vault: what ``doorsill consent watch`` shows.

Nothing can be sealed here; it shows what the vault would do, and how fast.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator

from doorsill.consent import gate as gates
from doorsill.consent.challenge import NONCE_BYTES, Binding
from doorsill.consent.events import (
    Action,
    Ask,
    Closed,
    Event,
    Inserted,
    Lease,
    Lost,
    Moment,
    Refused,
    Tick,
)
from doorsill.consent.gate import Gate
from doorsill.consent.reasons import Reason
from doorsill.vault.token_threads import Attendant

RETRY_S = 2.0  # wait before a card that failed for a passing reason is read again


class Watch:
    """Runs one gate on the events of one attendant, in the caller's thread."""

    def __init__(
        self, attendant: Attendant, binding: Binding, clock: Callable[[], Moment]
    ) -> None:
        self._attendant, self._clock = attendant, clock
        self.gate = Gate(binding, clock())
        self._retry = float("inf")

    def turn(self, wait_s: float) -> Iterator[Action]:
        """Wait at most ``wait_s`` seconds for an event; yield what the gate does."""
        now = self._clock().monotonic
        due = min(gates.deadline(self.gate), self._retry) - now
        handle = self._attendant.fileno()
        select.select([handle], [], [], max(0.0, min(wait_s, due)))
        for event in (*self._attendant.take(), Tick()):
            if not (isinstance(event, Inserted) and event.card == self.gate.card):
                yield from self.step(event)  # reading a card again is no insertion
        if self._clock().monotonic >= self._retry:
            self._retry = float("inf")
            if self.gate.card is None:
                self._attendant.inspect()

    def step(self, event: Event) -> Iterator[Action]:
        """Make one step of the gate; its questions go to the token."""
        nonce = os.urandom(NONCE_BYTES)
        self.gate, actions = gates.step(self.gate, event, self._clock(), nonce)
        if isinstance(event, Lost):
            self._again(event.reason)
        for action in actions:
            if isinstance(action, Ask):
                self._attendant.ask(action.challenge)
                continue
            if isinstance(action, Closed | Refused):
                self._again(action.reason)
            yield action

    def lease(self) -> Lease:
        """The lease at this moment; UntrustedError if the gate is shut."""
        return gates.require_lease(self.gate, self._clock())

    def _again(self, reason: Reason) -> None:
        waits = self._attendant.present and not reason.lasting
        self._retry = self._clock().monotonic + RETRY_S if waits else float("inf")
