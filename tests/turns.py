"""Tests side by side: one that measures a promised time has the machine to itself.

``make test`` runs several pytest workers, each with fixtures of its own. The tests of a
file stay together, as what is dear to make is made once in each process, and the files
that take longest come first. Those marked ``alone`` are the last, in one worker: they
wait until the other workers are between two tests, and keep them there. The limit of a
test begins with its turn.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
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
LAST = "alone"  # the one unit of work of all tests that are
# What takes longest begins first, or the other workers would wait for it at the end.
FIRST = (
    "tests/promises/test_witnesses.py",  # the clock's minutes, on any machine
    "tests/config/test_config_keys.py",
    "tests/vault/test_faults.py",
    "tests/policy/test_policy_keys.py",
    "tests/fleet/test_demo.py",
    "tests/promises/test_canary.py",
    "tests/cli/test_count.py",
    "tests/services/test_signals.py",
    "tests/services/test_vault_service.py",
    "tests/hw/test_vault_behind_the_board.py",
    "tests/cli/test_run.py",
    "tests/fleet/test_receive_cli.py",
    "tests/fleet/test_workers.py",
    "tests/fleet/test_replay.py",
    "tests/fleet/test_ingest.py",
    "tests/drivers/test_matrix.py",
    "tests/services/test_uplink_service.py",
    "tests/uplink/test_limits.py",
    "tests/promises/test_ways.py",
    "tests/contracts/test_cameras.py",
    "tests/vision/test_street.py",
    "tests/cli/test_wrong_inputs.py",
    "tests/cli/test_check.py",
    "tests/vision/test_foreign.py",
    "tests/house/test_turns.py",
    "tests/promises/test_boundaries.py",
)


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
    """The tests of a file go to one worker; those that are alone, of all files, too."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # they come in the order of _turn_of

    def _split_scope(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        alone = _alone_in(self.config.rootpath / path)
        return LAST if name.partition("[")[0] in alone else path


@functools.cache
def _alone_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file that are marked ``alone``."""
    marked = re.compile(r"^@pytest\.mark\.alone\b.*?^def (\w+)", re.M | re.S)
    return frozenset(marked.findall(path.read_text(encoding="utf-8")))


def _turn_of(item: pytest.Item) -> tuple[bool, int]:
    """What comes first is the smallest."""
    alone = _is_alone(item)
    assert alone == (item.name.partition("[")[0] in _alone_in(item.path)), item.nodeid
    path = item.nodeid.partition("::")[0]
    place = FIRST.index(path) if path in FIRST else len(FIRST)
    return alone, place


class Turns:
    """In a worker: in which order tests run, and when."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = contextlib.ExitStack()
        self._goes_on = False  # with the next test, as both are alone

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=_turn_of)

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
