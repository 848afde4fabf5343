"""It acts at the time that was set last, once, and in a thread of its own."""

import threading
import time

import pytest

from doorsill.process.deadman import NEVER, Deadman

WITHIN_S = 5.0


class Hand:
    """Notes when, and in which thread, it acted."""

    def __init__(self) -> None:
        self.acted = threading.Event()
        self.times: list[float] = []
        self.threads: list[int] = []

    def __call__(self) -> None:
        self.times.append(time.monotonic())
        self.threads.append(threading.get_ident())
        self.acted.set()


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_it_acts_when_it_is_due_and_only_once(hand: Hand) -> None:
    deadman, due = Deadman(hand, time.monotonic), time.monotonic() + 0.05
    deadman.set(due)
    assert hand.acted.wait(WITHIN_S)
    assert hand.times[0] >= due and hand.threads != [threading.get_ident()]
    deadman.close()
    assert len(hand.times) == 1


def test_a_later_time_takes_the_place_of_the_earlier(hand: Hand) -> None:
    deadman, begun = Deadman(hand, time.monotonic), time.monotonic()
    deadman.set(begun + 60.0)
    deadman.set(begun + 0.2)
    assert hand.acted.wait(WITHIN_S) and hand.times[0] < begun + 60.0
    hand.acted.clear()
    deadman.set(begun + 0.3)  # it can be set again
    assert hand.acted.wait(WITHIN_S)
    deadman.close()


def test_what_is_put_off_or_called_off_does_not_happen(hand: Hand) -> None:
    now = [0.0]
    deadman = Deadman(hand, lambda: now[0])
    deadman.set(1.0)
    deadman.set(2.0)
    now[0] = 1.5
    deadman.set(NEVER)
    now[0] = 9.0
    deadman.set(10.0)
    deadman.close()
    now[0] = 11.0
    deadman.set(10.5)
    assert not hand.acted.wait(0.05)


def test_without_a_time_there_is_no_thread(hand: Hand) -> None:
    before = threading.active_count()
    deadman = Deadman(hand, time.monotonic)
    deadman.set(NEVER)
    deadman.close()
    assert threading.active_count() == before
