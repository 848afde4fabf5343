"""The processes of a replay: workers, shops, the broker; ended and begun again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from limits import END_S, LONG_S, wait_until
from places import ROOT
from processor import processor_s

from doorsill_fleet.broker.mosquitto import Broker
from doorsill_fleet.office.chain import READERS

BROKER = "broker"
WORDS_MOST = 8000  # characters of a log that are shown
OURS = [str(ROOT / each) for each in ("tests", "tests/worlds")]
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([*OURS, *filter(None, sys.path)])}


@dataclass(slots=True)
class Processes:
    """Whatever was started in ``folder``, by a name for each."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    spent: dict[str, dict[int, float]] = field(default_factory=dict)  # by name and pid

    def note_time(self, broker: int) -> None:
        """Note what each has had of the processor; ``broker`` is its process id."""
        alive = {name: each.pid for name, each in self.running.items()}
        for name, process in (alive | {BROKER: broker}).items():
            with suppress(OSError):  # it has just ended
                self.spent.setdefault(name, {})[process] = processor_s(process)

    def spent_by(self, names: Iterable[str]) -> float:
        """Seconds of the processor that these have had, of all their runs."""
        return sum(sum(self.spent.get(name, {}).values()) for name in names)

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """``python -m`` these words; what it says goes into a log of its name."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT},
            )
        return self.running[name]

    def start_worker(self, number: int) -> None:
        """Worker ``number`` of all; it is connected when this returns."""
        name = READERS[number - 1]
        ready = self.folder / f"ready-{name}"
        ready.unlink(missing_ok=True)
        words = (str(self.folder), name, str(number), str(len(READERS)))
        child = self.start(name, "replay.worker", *words)
        wait_until(
            lambda: ready.exists() or child.poll() is not None,
            lambda: f"{name} is connected; it says: {self.words(name) or 'nothing'}",
            LONG_S,
        )
        if child.poll() is not None:
            raise RuntimeError(f"a worker ended: {self.words(name)}")

    def start_shop(self, site: str) -> None:
        """The cameras of ``site``."""
        self.start(site, "replay.shop", str(self.folder), site)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.running[name].kill()
        self.running[name].wait(END_S)

    def words(self, name: str) -> str:
        """The end of what it said."""
        text = (self.folder / "logs" / f"{name}.log").read_text(errors="replace")
        return text[-WORDS_MOST:]

    def alive(self, broker: Broker) -> dict[str, str]:
        """What those that run say last, by their names, and the broker."""
        running = [name for name, each in self.running.items() if each.poll() is None]
        return {BROKER: broker.last_words()} | {n: self.words(n) for n in running}

    def stop(self) -> None:
        """End all that still run."""
        for child in self.running.values():
            child.terminate()
        ends = time.monotonic() + END_S
        for child in self.running.values():
            try:
                child.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(END_S)
        self.running.clear()
