"""The status lamp: a pattern for each step, and never a reason to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from limits import wait_until

from doorsill.documents.boot.steps import COUNTS, MEND, STEPS, Step
from doorsill.drivers.gpio.fake import FakeOutput
from doorsill.drivers.gpio.status_lamp import StatusLamp, open_status_lamp
from doorsill.errors import ConfigError


class Seen(FakeOutput):
    """A line that remembers what it was driven to."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[bool] = []

    def write(self, on: bool) -> None:
        super().write(on)
        self.levels.append(on)


def quick(step: Step, played: threading.Event) -> Iterator[tuple[bool, float]]:
    """The step's pattern without its pauses; ``played`` is set after a round."""
    for lit, _ in step.pattern():
        yield lit, 0.001
    played.set()


@pytest.mark.parametrize("step", STEPS, ids=[each.word for each in STEPS])
def test_a_step_is_shown_round_after_round(step: Step) -> None:
    output, played = Seen(), threading.Event()
    lamp = StatusLamp(output)
    lamp.show(lambda: quick(step, played))
    assert played.wait(20.0)
    lamp.close()
    wanted = [lit for lit, _ in step.pattern()]
    assert output.levels[: len(wanted) + 1] == [False, *wanted]  # dark before the first
    assert not output.on and output.released


def test_no_two_steps_look_alike() -> None:
    assert len({tuple(each.pattern()) for each in STEPS}) == len(STEPS)
    assert len({each.lamp for each in STEPS}) == len(STEPS)


def test_another_step_is_shown_at_once() -> None:
    output = Seen()
    lamp = StatusLamp(output)
    lamp.show(COUNTS.pattern)  # lit for an hour
    wait_until(lambda: output.levels[-1:] == [True])
    lamp.show(MEND.pattern)
    wait_until(lambda: len(output.levels) > 4)
    lamp.close()


def test_a_lamp_that_vanishes_is_said_once_and_nothing_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = Seen()
    lamp = StatusLamp(output)
    output.gone = True
    lamp.show(MEND.pattern)
    wait_until(lambda: output.released)
    lamp.show(COUNTS.pattern)
    lamp.close()
    assert caplog.text.count("the status lamp is gone") == 1


@pytest.mark.parametrize("line", ["GPIO24-of-no-board", "no-such-label:3"])
def test_a_line_that_is_not_there_is_a_sentence(line: str) -> None:
    with pytest.raises(ConfigError, match="there is no GPIO"):
        open_status_lamp(line)
