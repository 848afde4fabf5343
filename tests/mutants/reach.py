"""A plugin of pytest: which test runs which lines of one module, in its own process."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Generator
from types import CodeType, FrameType
from typing import Any

import pytest

CALLS_MOST = 100  # of one function in one test; later ones are not followed


class Reach:
    """``lines`` is filled: the lines of ``module`` by the test that ran them."""

    def __init__(self, module: str, lines: dict[str, list[int]]) -> None:
        self._module = module
        self._lines = lines
        self._now: set[int] = set()
        self._calls: Counter[CodeType] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item
    ) -> Generator[None, object, object]:
        self._now, self._calls = set(), Counter()
        threading.settrace(self._called)
        sys.settrace(self._called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]  # None is right
            self._lines[item.nodeid] = sorted(self._now)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != self._module:
            return None
        self._calls[frame.f_code] += 1
        if self._calls[frame.f_code] > CALLS_MOST:
            return None
        self._now.add(frame.f_lineno)
        return self._lined

    def _lined(self, frame: FrameType, event: str, arg: object) -> Any:
        self._now.add(frame.f_lineno)
        return self._lined
