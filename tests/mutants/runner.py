"""Runs tests of one copy of the product again and again, without a new start of Python.

``python -m tests.mutants.runner COPY`` takes one line of JSON for each run and answers
with one. What the tests need is imported once; a run is a fork of that, and only the
fork imports the product. Time and memory of a run have a limit.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's pythonpath

from mutants.reach import Reach

IMPORTED = (
    "numpy",
    "cryptography.x509",
    "cryptography.hazmat.primitives.serialization.pkcs7",
    "fido2.ctap2",
    "smartcard.System",
    "paho.mqtt.client",
    "rich.table",
)
MEMORY_MOST = 4 << 30  # bytes of data; a change may let a list grow for ever
ENDED = -1  # the result of a run that was ended at its limit


@dataclass(frozen=True, slots=True)
class Run:
    """Which tests to run, up to the first one that fails."""

    files: list[str]
    limit_s: float
    first: list[str] = field(default_factory=list)  # tests, in their order
    only: bool = False  # none but those
    traced: str = ""  # a module, by its whole path, whose lines are noted


@dataclass(slots=True)
class Ran:
    """What a run came to; 0 where all passed, as pytest says it."""

    result: int = ENDED
    failed: str = ""  # the first test that did
    reach: dict[str, list[int]] = field(default_factory=dict)  # lines, by test
    seconds: dict[str, float] = field(default_factory=dict)  # by test


class Runner:
    """The process of one copy."""

    def __init__(self, copy: Path) -> None:
        folders = f"{copy / 'firmware'}:{copy / 'provisioning'}"
        environment = {"PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.runner"],
            cwd=copy,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, run: Run) -> Ran:
        """One run, from its beginning to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(asdict(run)), file=self._process.stdin, flush=True)
        return Ran(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        with self._process:
            self._process.kill()


class _Plan:
    """A plugin of pytest: the order, the first failure, how long each test took."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.ran = Ran()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        place = {test: number for number, test in enumerate(self._run.first)}
        if self._run.only:
            items[:] = [each for each in items if each.nodeid in place]
        items.sort(key=lambda each: place.get(each.nodeid, len(place)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seconds = self.ran.seconds
        seconds[report.nodeid] = seconds.get(report.nodeid, 0.0) + report.duration
        self.ran.failed = self.ran.failed or (report.nodeid if report.failed else "")


def main() -> None:
    """Answer until the input ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    assert not any(name.startswith("doorsill") for name in sys.modules)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        print(json.dumps(asdict(_forked(Run(**json.loads(line))))), file=answers)
        answers.flush()


def _forked(run: Run) -> Ran:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(run, writing)
    os.close(writing)
    answer = b"".join(_until(reading, time.monotonic() + run.limit_s))
    os.close(reading)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return Ran(**json.loads(answer)) if answer.endswith(b"\n") else Ran()


def _until(reading: int, ends: float) -> Iterator[bytes]:
    """One line of the pipe, in parts; nothing after ``ends``."""
    while select.select([reading], [], [], max(0.0, ends - time.monotonic()))[0]:
        part = os.read(reading, 1 << 16)
        yield part
        if not part or part.endswith(b"\n"):
            return


def _in_child(run: Run, writing: int) -> None:
    """Never returns: what the tests left running ends with us."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(1, 2)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MOST, MEMORY_MOST))
        plan = _Plan(run)
        plugins: list[Any] = [plan]
        if run.traced:
            plugins.append(Reach(run.traced, plan.ran.reach))
        with suppress(SystemExit):
            code = pytest.main(["-x", "-q", "--timeout", "60", *run.files], plugins)
            plan.ran.result = int(code)
        with os.fdopen(writing, "w") as pipe:
            print(json.dumps(asdict(plan.ran)), file=pipe)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
