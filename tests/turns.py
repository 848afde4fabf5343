"""Tests side by side: one that measures a promised time has the machine to itself.

``make test`` runs several pytest workers, each with fixtures of its own. The tests of a
file that has a fixture for its module stay together and come first, then all others,
and last those marked ``alone``: they wait until the other workers are between two
tests, and keep them there. The limit of a test begins with its turn.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

FOLDER = "DOORSILL_TEST_TURNS"  # the variable that says where the workers meet
TURN_S = 840.0  # longer than any test may take, shorter than faulthandler_timeout
LOOK_S = 0.005


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the workers says where they meet."""
    if getattr(config.option, "numprocesses", None):
        folder = tempfile.TemporaryDirectory(prefix="doorsill-turns-")
        config.add_cleanup(folder.cleanup)
        os.environ[FOLDER] = folder.name
    elif hasattr(config, "workerinput"):
        config.pluginmanager.register(Turns(Path(os.environ[FOLDER])))


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadScopeScheduling | None:
    return Together(config, log) if config.getvalue("dist") == "loadscope" else None


class Together(LoadScopeScheduling):
    """The tests of a file with a fixture of its own go to one worker; others to any."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if _shares(self.config.rootpath / path) else nodeid


@functools.cache
def _shares(path: Path) -> bool:
    return 'scope="module"' in path.read_text(encoding="utf-8")


class Turns:
    """In a worker: in which order tests run, and when."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = contextlib.ExitStack()
        self._goes_on = False  # with the next test, as both are alone

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=_is_alone)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest-timeout's
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        if not self._goes_on:
            self._turn.enter_context(turn(self._folder, _is_alone(item)))
        try:
            return (yield)
        finally:
            following = nextitem is not None and _is_alone(nextitem)
            self._goes_on = following and _is_alone(item)
            if not self._goes_on:
                self._turn.close()


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


@contextlib.contextmanager
def turn(folder: Path, alone: bool) -> Iterator[None]:
    """Share the machine, or have it alone; who waits to be alone is not overtaken."""
    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        try:
            _take(door, fcntl.LOCK_EX)
            _take(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            if not alone:
                _give(door)
            yield
        finally:  # by hand: a fork that a test leaves holds the files open
            _give(room)
            _give(door)


def _take(file: IO[str], how: int) -> None:
    ends = time.monotonic() + TURN_S
    while True:
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(file, how | fcntl.LOCK_NB)
        assert time.monotonic() < ends, f"no turn within {TURN_S:g} s"
        time.sleep(LOOK_S)


def _give(file: IO[str]) -> None:
    fcntl.flock(file, fcntl.LOCK_UN)
