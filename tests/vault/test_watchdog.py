"""The board gets pulses exactly while the vault's loop lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from limits import wait_until

from doorsill.consent.gate import ANSWER_MAX_AGE_S, BEAT_S
from doorsill.consent.reasons import Reason
from doorsill.drivers.gpio.fake import FakeOutput
from doorsill.drivers.gpio.watchdog import WatchdogLine
from doorsill.vault.watchdog import FED_FOR_S, LATE_S, PERIOD_S, Watchdog
from interlock.meaning import LATE_MS, PULSE_MS

QUIET_S = 10 * PERIOD_S  # without a pulse in it there are none


class Bench:
    """A watchdog on a fake pin, with a clock that is turned by hand."""

    def __init__(self) -> None:
        self.output = FakeOutput()
        self.severed: list[Reason] = []
        self.offset = 0.0
        self.watchdog = Watchdog(
            WatchdogLine(self.output), self.severed.append, self.now
        )

    def now(self) -> float:
        return time.monotonic() + self.offset

    def pulses(self, more: int = 3) -> None:
        """Wait until there are some more."""
        wanted = len(self.output.rises) + more
        wait_until(lambda: len(self.output.rises) >= wanted, "no pulses")

    def is_quiet(self) -> bool:
        """Whether no pulse came in QUIET_S."""
        before = len(self.output.rises)
        threading.Event().wait(QUIET_S)
        return len(self.output.rises) == before


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.output.gone = False
    made.watchdog.close()
    assert not made.output.on


def test_before_the_first_turn_of_the_loop_there_are_none(bench: Bench) -> None:
    assert bench.is_quiet() and bench.output.rises == []
    assert bench.watchdog.says is False


def test_one_turn_buys_pulses_and_the_pin_rests_low(bench: Bench) -> None:
    bench.watchdog.feed()
    bench.pulses()
    assert bench.watchdog.says is True and not bench.severed


def test_a_loop_that_hangs_gets_no_pulses_and_one_that_goes_on_gets_them(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        bench.watchdog.feed()
        bench.pulses()
        bench.offset += FED_FOR_S + 0.001
        wait_until(lambda: bench.watchdog.says is False)
        assert bench.is_quiet() and not bench.output.on
    assert caplog.text.count("the vault's loop hangs") == 2
    assert not bench.severed  # the deadman's: the key has ended by time


def test_a_turn_is_believed_for_as_long_as_an_answer_and_no_longer(
    bench: Bench,
) -> None:
    bench.watchdog.feed()
    bench.pulses()
    bench.offset += FED_FOR_S - 0.5
    bench.pulses()
    assert FED_FOR_S == ANSWER_MAX_AGE_S > 2 * 0.5  # two waits of the loop
    assert BEAT_S < FED_FOR_S


def test_a_pin_that_is_gone_destroys_the_key_and_is_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.watchdog.feed()
    bench.pulses()
    bench.output.gone = True
    wait_until(lambda: bench.severed)
    wait_until(lambda: bench.watchdog.says is False)
    assert bench.severed == [Reason.MEDIUM]
    assert "no pulses any more: the watchdog's line is gone" in caplog.text
    bench.output.gone = False
    bench.watchdog.feed()
    assert bench.is_quiet()  # a person looks at the board first


def test_after_the_end_there_are_none(bench: Bench) -> None:
    bench.watchdog.feed()
    bench.pulses()
    bench.watchdog.close()
    assert bench.output.released and not bench.output.on
    bench.watchdog.feed()
    assert bench.is_quiet() and not bench.severed


def test_a_late_pulse_is_counted_and_said_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.watchdog.feed()
    for late in (1, 2):
        bench.pulses()
        bench.offset += LATE_S + 0.001
        wait_until(lambda n=late: bench.watchdog.late >= n)
    assert caplog.text.count("a pulse came late") == 1


def test_without_a_board_it_does_nothing() -> None:
    before = threading.active_count()
    watchdog = Watchdog(None, lambda reason: None)
    watchdog.feed()
    assert watchdog.says is None and threading.active_count() == before
    watchdog.close()


def test_the_board_bridges_what_the_vault_calls_late() -> None:
    """The board's figures are those of the vault; how late it is, says the bench."""
    assert PERIOD_S * 1e3 == PULSE_MS
    assert LATE_S * 1e3 == LATE_MS > 3 * PULSE_MS
