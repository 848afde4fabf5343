"""A call that may hang: what it returns, what it raises, and how it is left."""

from __future__ import annotations

import threading
import time

import pytest

from doorsill.errors import ConfigError
from doorsill.process.in_time import in_time


def test_it_hands_on_what_the_call_returns_also_nothing() -> None:
    assert in_time(5.0, "no answer", lambda: 7) == 7
    assert in_time(5.0, "no answer", lambda: None) is None


def test_it_hands_on_what_the_call_raises() -> None:
    def refuse() -> None:
        raise ConfigError("no such card")

    with pytest.raises(ConfigError, match="no such card"):
        in_time(5.0, "no answer", refuse)


def test_a_call_that_hangs_is_left_and_named() -> None:
    free, begun = threading.Event(), time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer of the card within 0\.05 s"):
        in_time(0.05, "no answer of the card", lambda: free.wait(30.0))
    assert time.monotonic() - begun < 10.0
    free.set()
