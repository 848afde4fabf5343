"""The watchdog's pin on real hardware or gpio-sim, to be run on the board itself.

DOORSILL_WATCHDOG=pinctrl-rp1:22    pytest -s tests/hil/test_pulses.py

With the interlock on the header, card in and case shut, TP4 has 3.3 V meanwhile, and
none in the second after it.
"""

import os
import time
from itertools import pairwise

import pytest

from doorsill.drivers.gpio.line import parse_place
from doorsill.drivers.gpio.output import GpiodOutput
from doorsill.drivers.gpio.watchdog import OPTION, WatchdogLine
from doorsill.vault.watchdog import FED_FOR_S, LATE_S, PERIOD_S, Watchdog

MEASURED_S = 20.0
WATCHED_S = 1.0


class Noted(GpiodOutput):
    """A real line, and when it rose."""

    def __init__(self, place):
        super().__init__(OPTION, *place)
        self.rises = []

    def write(self, on):
        super().write(on)
        if on:
            self.rises.append(time.monotonic())


def test_it_moves_while_the_loop_lives_and_rests_low_when_it_hangs():
    named = os.environ.get("DOORSILL_WATCHDOG")
    if not named:
        pytest.skip("DOORSILL_WATCHDOG names no line")
    output, severed = Noted(parse_place(OPTION, named)), []
    watchdog = Watchdog(WatchdogLine(output), severed.append)
    assert not output.read()
    spent, ends = time.process_time(), time.monotonic() + MEASURED_S
    while time.monotonic() < ends:
        watchdog.feed()
        time.sleep(0.5)
    share = (time.process_time() - spent) / MEASURED_S
    gaps = sorted(b - a for a, b in pairwise(output.rises))
    print(
        f"{len(gaps)} pulses, half within {gaps[len(gaps) // 2] * 1e3:.1f} ms, "
        f"all within {gaps[-1] * 1e3:.1f} ms, {share:.1%} of a core"
    )
    assert len(gaps) > 0.5 * MEASURED_S / PERIOD_S
    assert gaps[-len(gaps) // 100] < LATE_S
    time.sleep(FED_FOR_S)
    count = len(output.rises)
    time.sleep(WATCHED_S)  # for the person who watches TP4
    assert len(output.rises) == count and not output.read() and not severed
    watchdog.close()
