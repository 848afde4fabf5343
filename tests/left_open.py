"""A test leaves no socket open.

What is left to Python's collector is closed at some later time, with a warning that
fails the test of that time. So each test is looked at when its own fixtures have ended;
what a fixture of many tests opens stays allowed.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from limits import wait_until

DESCRIPTORS = Path("/proc/self/fd")
SETTLE_S = 5.0  # for a thread of the test that still closes its own
known: set[str] = set()  # of fixtures that last, and what was complained of


def pytest_collection_finish() -> None:
    known.update(open_sockets())


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any],
) -> Generator[None, object, object]:
    before = open_sockets()
    try:
        return (yield)
    finally:
        if fixturedef.scope != "function":
            known.update(open_sockets() - before)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    found = yield
    with suppress(AssertionError):
        wait_until(lambda: open_sockets() <= known, SETTLE_S)
    left = open_sockets() - known
    known.update(left)
    assert not left, f"the test left {len(left)} sockets open: {of_python(left)}"
    return found


def of_python(left: set[str]) -> list[str]:
    """What Python says of those that are its own."""
    mine = [each for each in gc.get_objects() if isinstance(each, socket.socket)]
    return [repr(each) for each in mine if number_of(each.fileno()) in left]


def open_sockets() -> set[str]:
    """The sockets of this process, each by the kernel's number for it."""
    every = {number_of(int(each.name)) for each in DESCRIPTORS.iterdir()}
    return {each for each in every if each.startswith("socket:")}


def number_of(descriptor: int) -> str:
    """As ``socket:[12345]``; empty where it is closed, as the listing's own is."""
    with suppress(OSError):
        return str((DESCRIPTORS / str(descriptor)).readlink())
    return ""
