"""Asked once: a signal strikes nowhere but where somebody waits for long."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from doorsill.process.stopping import SIGNALS, Stop, Stopped, held_back


@pytest.fixture
def stop() -> Iterator[Stop]:
    found = Stop()
    before = {each: signal.signal(each, found.heard) for each in SIGNALS}
    yield found
    for each, handler in before.items():
        signal.signal(each, handler)


def tell(*numbers: signal.Signals) -> None:
    for each in numbers:
        signal.raise_signal(each)


def test_a_signal_is_noted_and_strikes_nowhere(stop: Stop) -> None:
    assert not stop.asked
    tell(*SIGNALS, *SIGNALS)
    assert stop.asked


@pytest.mark.parametrize("number", SIGNALS)
def test_a_wait_is_broken_off(stop: Stop, number: signal.Signals) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    before = signal.signal(signal.SIGALRM, lambda *_: tell(number, number))
    begun = time.monotonic()
    with pytest.raises(Stopped), stop.waiting():
        time.sleep(30.0)
    assert time.monotonic() - begun < 10
    signal.signal(signal.SIGALRM, before)
    tell(number)  # a late one, when nobody waits any more


def test_a_wait_after_the_signal_does_not_begin(stop: Stop) -> None:
    tell(signal.SIGTERM)
    with pytest.raises(Stopped), stop.waiting():
        raise AssertionError("it waits")


def test_what_follows_a_wait_is_not_struck(stop: Stop) -> None:
    with stop.waiting():
        pass
    tell(signal.SIGINT)
    assert stop.asked


@pytest.mark.parametrize("early", [True, False])
def test_the_bell_rings_once_for_good(stop: Stop, early: bool) -> None:
    if early:
        tell(signal.SIGTERM)
    bell = stop.bell()
    if not early:
        assert not select.select([bell], [], [], 0)[0]
        tell(signal.SIGTERM, signal.SIGTERM)
    assert select.select([bell], [], [], 0)[0] == [bell]
    assert stop.bell() == bell
    os.close(bell)


CHILD = """
import sys, time
from doorsill.process.stopping import listen
sys.stdin.read(1)
print("asked" if listen().asked else "nothing", flush=True)
"""


def test_a_child_hears_in_time_of_what_came_before_it_listened() -> None:
    with held_back():
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(b"x", timeout=30)
    assert (child.returncode, said) == (0, b"asked\n")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
