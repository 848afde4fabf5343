"""The watchdog's pin of the interlock board: it moves once a pulse, and rests low."""

from collections.abc import Callable

import pytest

from doorsill.drivers.gpio.fake import FakeOutput
from doorsill.drivers.gpio.output import Output
from doorsill.drivers.gpio.watchdog import WatchdogLine, open_watchdog
from doorsill.errors import ConfigError, UntrustedError


def test_it_is_low_from_the_start_and_after_each_pulse() -> None:
    output = FakeOutput()
    assert output.on  # as the process before left it
    line = WatchdogLine(output)
    assert not output.on and output.rises == []
    for _ in range(3):
        line.pulse()
        assert not output.on
    assert len(output.rises) == 3
    line.close()
    assert not output.on and output.released and len(output.rises) == 3


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(WatchdogLine.pulse, id="pulse"),
        pytest.param(WatchdogLine.close, id="close"),
    ],
)
def test_a_chip_that_goes_is_said(act: Callable[[WatchdogLine], None]) -> None:
    output = FakeOutput()
    line = WatchdogLine(output)
    output.gone = True
    with pytest.raises(UntrustedError, match=r"the watchdog's line is gone: .*19"):
        act(line)
    with pytest.raises(UntrustedError, match="is gone"):
        WatchdogLine(output)


@pytest.mark.parametrize("option", ["", "22", ":22", "chip:", "chip:x", "chip:-1"])
def test_an_option_that_is_none_says_what_it_must_be(option: str) -> None:
    with pytest.raises(ConfigError, match=r"consent\.watchdog_line = .* must be CHIP"):
        open_watchdog(option)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        pytest.param("/dev/null:22", "watchdog_line = /dev/null:22 cannot", id="none"),
        pytest.param("no-such:1", "watchdog_line: there is no GPIO chip", id="label"),
    ],
)
def test_the_real_library_refuses_what_is_no_chip(option: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_watchdog(option)


def test_the_opener_gets_chip_and_offset() -> None:
    asked: list[tuple[str, int]] = []

    def opener(chip: str, offset: int) -> Output:
        asked.append((chip, offset))
        return FakeOutput()

    open_watchdog("pinctrl-rp1:22", opener)
    assert asked == [("pinctrl-rp1", 22)]
