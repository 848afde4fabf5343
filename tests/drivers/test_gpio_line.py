"""The key switch: off unless it is surely on, and never a consent of its own."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from doorsill.drivers.gpio.fake import FakeLine
from doorsill.drivers.gpio.line import STEADY_S, KeySwitch, open_switch
from doorsill.errors import ConfigError


class Watched:
    """A switch on a fake line, its levels noted."""

    def __init__(self, line: FakeLine) -> None:
        self.line, self.switch = line, KeySwitch(line)
        self.levels: list[tuple[bool, float]] = []
        self._new = threading.Semaphore(0)
        self._seen = 0
        self._thread = threading.Thread(target=self._note, daemon=True)
        self._thread.start()

    def _note(self) -> None:
        for level in self.switch.levels():
            self.levels.append((level, time.monotonic()))
            self._new.release()

    def next_level(self) -> bool:
        assert self._new.acquire(timeout=5)
        self._seen += 1
        return self.levels[self._seen - 1][0]

    def quiet(self, seconds: float) -> bool:
        return not self._new.acquire(timeout=seconds)

    def close(self) -> None:
        self.switch.close()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched(FakeLine())
    assert watched.next_level() is False
    yield watched
    watched.close()


def test_it_says_how_it_is_and_what_changes(watched: Watched) -> None:
    watched.line.set(True)
    assert watched.next_level() is True
    watched.line.set(False)
    assert watched.next_level() is False


@pytest.mark.alone
def test_off_counts_at_once_and_on_when_it_is_steady(
    unit_priority: None, watched: Watched
) -> None:
    watched.line.set(True)
    turned = time.monotonic()
    assert watched.next_level() is True
    assert watched.levels[-1][1] - turned >= STEADY_S
    watched.line.set(False)
    turned = time.monotonic()
    assert watched.next_level() is False
    assert watched.levels[-1][1] - turned < 0.1


def test_a_line_that_flaps_is_never_on(watched: Watched) -> None:
    ends = time.monotonic() + 0.6
    while time.monotonic() < ends:
        watched.line.set(True)
        watched.line.set(False)
        assert watched.quiet(STEADY_S / 5)
    assert [level for level, _ in watched.levels] == [False]


def test_the_shortest_off_is_an_off(watched: Watched) -> None:
    watched.line.set(True)
    assert watched.next_level() is True
    watched.line.set(False)
    watched.line.set(True)
    assert watched.next_level() is False
    assert watched.next_level() is True


def test_a_chip_that_goes_is_off(watched: Watched) -> None:
    watched.line.set(True)
    assert watched.next_level() is True
    watched.line.vanish()
    assert watched.next_level() is False
    watched.close()
    assert watched.line.released


def test_a_line_that_is_on_from_the_start_is_on() -> None:
    watched = Watched(FakeLine(on=True))
    assert watched.next_level() is True
    watched.close()


@pytest.mark.parametrize("option", ["", "17", ":17", "chip:", "chip:x", "chip:-1"])
def test_an_option_that_is_none_says_what_it_must_be(option: str) -> None:
    with pytest.raises(ConfigError, match="must be CHIP:OFFSET"):
        open_switch(option)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        pytest.param("/dev/null:17", "/dev/null:17 cannot be used", id="no chip"),
        pytest.param("/dev/none0:1", "/dev/none0:1 cannot be used", id="no file"),
        pytest.param("no-such-label:1", "no GPIO chip labelled", id="no label"),
    ],
)
def test_the_real_library_refuses_what_is_no_chip(option: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_switch(option)


def test_the_opener_gets_chip_and_offset() -> None:
    asked: list[tuple[str, int]] = []

    def opener(chip: str, offset: int) -> FakeLine:
        asked.append((chip, offset))
        return FakeLine()

    make: Callable[[str, int], FakeLine] = opener
    open_switch("pinctrl-rp1:17", make)
    assert asked == [("pinctrl-rp1", 17)]
