"""Pulses for the interlock board, exactly while the vault's loop lives.

    the loop ── feed() ──► when it was fed
                                │
    a thread, each PERIOD_S ────┴─► fed in the last FED_FOR_S? ──► one pulse

The board's memory has power for about 33 ms after a pulse, and needs card and case as
well. So it loses its power when the vault ends, is killed or stopped, when the loop
hangs in a disk, and when the pin is gone. The thread is one of this process: no timer
and no hardware goes on without it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from doorsill.consent.gate import ANSWER_MAX_AGE_S
from doorsill.consent.reasons import Reason
from doorsill.consent.token import Pulse

log = logging.getLogger(__name__)

PERIOD_S = 0.005  # between two pulses
# For how long one turn of the loop is believed: as long as one answer of a card, after
# which the key is destroyed in any case.
FED_FOR_S = ANSWER_MAX_AGE_S
# A gap that the slowest pin of a series does not bridge: the shortest time that a board
# holds is 27 ms (hw/README.md), so above this the memory may have been without power.
LATE_S = 0.025
ENDS_WITHIN_S = 1.0  # for the thread to end


class Watchdog:
    """Does nothing where there is no board; ``sever`` destroys the key."""

    def __init__(
        self,
        line: Pulse | None,
        sever: Callable[[Reason], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives seconds that never go back."""
        self._line, self._sever, self._clock = line, sever, clock
        self._fed = float("-inf")
        self._last: float | None = None  # when the last pulse of a row was given
        self._ended = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.late = 0  # gaps between two pulses that were too long

    @property
    def says(self) -> bool | None:
        """Whether pulses are given now; None if there is no board."""
        return None if self._line is None else self._last is not None

    def feed(self) -> None:
        """The loop lives. The first call begins the pulses."""
        self._fed = self._clock()
        if self._line is not None and self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """End the pulses and leave the pin low; raises UntrustedError if it is gone."""
        self._ended = True
        if self._thread.ident is not None:
            self._thread.join(ENDS_WITHIN_S)
        if self._line is not None:
            self._line.close()

    def _watch(self) -> None:
        try:
            while not self._ended:
                self._turn(self._clock())
                time.sleep(PERIOD_S)
        except Exception as error:  # the top of a thread
            log.error("the board gets no pulses any more: %s", error)
            self._sever(Reason.MEDIUM)
        finally:
            self._last = None

    def _turn(self, now: float) -> None:
        if self._line is None or now - self._fed > FED_FOR_S:
            if self._last is not None:
                log.error("the vault's loop hangs: the board gets no pulses")
            self._last = None
            return
        self._line.pulse()
        if self._last is not None and now - self._last > LATE_S:
            self.late += 1
            if self.late == 1:
                log.warning("a pulse came late: the memory may have lost its power")
        self._last = now
