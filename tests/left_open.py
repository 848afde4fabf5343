"""A socket that a test leaves to Python's collector fails this test, and no other.

What lies in a circle is closed when the collector comes, with a warning that fails the
test of that time. So the collector comes at the end of each test that has opened a
socket and not closed it.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

DESCRIPTORS = Path("/proc/self/fd")
known: set[str] = set()  # of fixtures that last, and of whatever still uses them


def pytest_collection_finish() -> None:
    known.update(open_sockets())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    found = yield
    if open_sockets() - known:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ResourceWarning)
            gc.collect()
        known.update(open_sockets())
        left = [str(each.message) for each in said]
        assert not left, f"the test left to the collector: {left}"
    return found


def open_sockets() -> set[str]:
    """The sockets of this process, each by the kernel's number for it."""
    found = set()
    for each in DESCRIPTORS.iterdir():
        with suppress(OSError):  # the listing's own, or closed meanwhile
            found.add(str(each.readlink()))
    return {each for each in found if each.startswith("socket:")}
