"""How long the tests wait, where the product promises no time of its own."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

PROGRAM_S = 100.0  # for a program that a test starts; below the limit of a test
MEASURED_S = 1800.0  # for a program that the bench measures
LONG_S = 280.0  # for one of a test that is marked to take longer
END_S = 20.0  # for a thread or a process that was asked to end
LOOK_S = 0.005  # between two looks
WITHIN_S = 60.0  # for all else that a test waits for, as for a program to be up
LONG = bool(
    os.environ.get("DOORSILL_LONG")
)  # make long: all of what else is tried in part


def rest() -> None:
    """Between two looks nothing is done, for LOOK_S."""
    time.sleep(LOOK_S)


def wait_until(
    done: Callable[[], Any],
    what: str | Callable[[], object] = "",
    within_s: float = WITHIN_S,
    between: Callable[[], object] = rest,
) -> Any:
    """What ``done`` gives, once that is something; AssertionError after ``within_s``.

    The error says what was waited for: ``what``, asked then, or else the words of
    ``done`` itself. ``between`` goes on with the world between two looks.
    """
    ends = time.monotonic() + within_s
    while not (found := done()):
        if time.monotonic() > ends:
            said = what() if callable(what) else what or _words_of(done)
            raise AssertionError(f"not within {within_s:g} s: {said}")
        between()
    return found


def _words_of(done: Callable[[], Any]) -> str:
    with suppress(OSError, TypeError):  # a call that has no text of its own
        return " ".join(inspect.getsource(done).split())
    return repr(done)
