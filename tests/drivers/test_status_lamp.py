"""The status lamp: a pattern for each step, and never a reason to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from limits import wait_until

from doorsill.documents.boot.steps import COUNTS, MEND, STEPS, Step
from doorsill.drivers.gpio.fake import FakeOutput
from doorsill.drivers.gpio.status_lamp import (
    SoughtLamp,
    StatusLamp,
    open_status_lamp,
)
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


class Header:
    """A chip whose line comes and goes; each time it is another one."""

    def __init__(self) -> None:
        self.outputs: list[Seen] = []
        self.lines: list[str] = []
        self.there = False

    def open(self, line: str) -> StatusLamp:
        if not self.there:
            raise ConfigError(f"there is no GPIO line named {line}")
        self.outputs.append(Seen())
        self.lines.append(line)
        return StatusLamp(self.outputs[-1], again_s=0.01)

    def go(self) -> None:
        self.there, self.outputs[-1].gone = False, True

    def lit(self) -> bool:
        return bool(self.outputs[-1].levels) and self.outputs[-1].levels[-1]


def test_a_line_that_comes_late_goes_and_comes_again_shows_the_step_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also one that goes while the lamp is lit for an hour."""
    caplog.set_level("INFO")
    header = Header()
    lamp = SoughtLamp("GPIO24", header.open)
    lamp.show(COUNTS)
    for times in (1, 2, 3):
        for _ in range(3):
            lamp.look()
        assert len(header.outputs) == times - 1
        header.there = True
        lamp.look()
        wait_until(header.lit)
        lamp.look()
        assert len(header.outputs) == times, "one at a time"
        header.go()
        wait_until(lambda: header.outputs[-1].released)
    assert caplog.text.count("no status lamp: there is no GPIO line") == 3
    assert caplog.text.count("the status lamp is on GPIO24") == 3


def test_a_step_that_came_while_the_line_was_away_is_shown_when_it_is_back() -> None:
    header = Header()
    header.there = True
    lamp = SoughtLamp("GPIO24", header.open)
    lamp.look()
    wait_until(lambda: header.outputs[0].levels)
    header.go()
    wait_until(lambda: header.outputs[0].released)
    lamp.show(COUNTS)
    header.there = True
    wait_until(lambda: lamp.look() or len(header.outputs) == 2)
    wait_until(header.lit)


def test_without_a_name_no_line_is_sought() -> None:
    header = Header()
    header.there = True
    SoughtLamp("", header.open).look()
    assert header.outputs == []


def test_another_line_takes_over_and_that_of_before_goes_dark() -> None:
    header = Header()
    header.there = True
    lamp = SoughtLamp("GPIO24", header.open)
    for line in ("pinctrl-rp1:25", "pinctrl-rp1:25", ""):
        lamp.use(line)
        lamp.look()
        lamp.show(COUNTS)
        wait_until(header.lit)
    assert header.lines == ["pinctrl-rp1:25", "GPIO24"], "each once, the usual one last"
    assert not header.outputs[0].on and header.outputs[0].released
