"""``--quick``: only tests that start no process and play no film.

A file of tests is left out where it imports what does, or a world of ours that does. A
test of another file that starts a process all the same fails, so ``make quick`` is as
quick as it says.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from places import TESTS, WORLDS

STARTS = {
    "subprocess",
    "multiprocessing",
    "doorsill.device.users",
    "doorsill.drivers.token.pcscd",
    "doorsill.models.edgetpu",
    "doorsill.process.child",
    "doorsill_fleet.broker.mosquitto",
}
PLAYS = {
    "doorsill.drivers.camera.clip",
    "doorsill.drivers.camera.opening",
    "doorsill.drivers.camera.video",
    "doorsill.services.detectors",
    "doorsill_street.street",
}
EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
_running: list[str] = []  # the test that may start no process


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="only what starts no process, plays no film",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("quick"):
        config.pluginmanager.register(Quick())
        sys.addaudithook(_refuse)


class Quick:
    """Leaves out what may take long, and holds all others to it."""

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        is_test = collection_path.match("test_*.py")
        return True if is_test and takes_long(collection_path) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        _running.append(item.nodeid)
        try:
            return (yield)
        finally:
            _running.clear()


def _refuse(event: str, _: object) -> None:
    if _running and event in EVENTS:
        raise AssertionError(f"{_running[0]} starts a process ({event})")


@functools.cache
def takes_long(path: Path) -> bool:
    """Whether a file of the tests imports what takes long, or a world that does."""
    names = set(_imported(path))
    return bool(names & (STARTS | PLAYS)) or any(map(takes_long, _ours(names)))


def _ours(names: set[str]) -> Iterator[Path]:
    """The files of ``names`` that are ours: worlds, and tools that a test tries."""
    for name in names:
        file = Path(*name.split(".")).with_suffix(".py")
        yield from filter(Path.is_file, (WORLDS / file, TESTS / file))


def _imported(path: Path) -> Iterator[str]:
    """Each module that it imports, and each name with its module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
