"""Measure doorsill against the peers: ``python -m tests.bench [name ...]``.

Without names all are run; ``--list`` prints them. Each runs in a process of its own, so
that one that fails loses no other, and none is slowed by what another has loaded. Rows
are printed as they come and as one table at the end, with the load of the machine:
times mean little where it is above the number of processors. Ends with 1 where a target
is missed or a measurement failed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's pythonpath
sys.path.insert(0, str(Path(__file__).parents[1] / "worlds"))
from bench.rows import Row
from children import hearing_ctrl_c
from limits import END_S
from places import ROOT

ROWS = "rows: "  # what a measurement's process prints before its rows
PATIENCE = 10  # times the usual minutes, on a slow or a busy machine
MARKS = {True: "[green]ok[/]", False: "[red]missed[/]", None: ""}


@dataclass(frozen=True, slots=True)
class Measurement:
    """A function of this package that gives one Row or several."""

    function: str  # module.function
    minutes: float  # on a quiet machine with two processors

    def rows(self) -> list[Row]:
        """Run it here."""
        module, name = self.function.split(".")
        found = getattr(import_module(f"bench.{module}"), name)()
        return [found] if isinstance(found, Row) else list(found)


MEASUREMENTS = {
    "speed": Measurement("tracking.speed", 0.5),
    "overhead": Measurement("door.overhead", 0.5),
    "idle": Measurement("door.idle", 0.5),
    "clips": Measurement("door.clips", 0.5),
    "variations": Measurement("variations.rows", 8),
    "hour": Measurement("tracking.hour", 3),
    "hard": Measurement("tracking.hard", 3),
    "bad": Measurement("bad.rows", 8),
    "memory": Measurement("door.memory", 2),
    "kill": Measurement("outbox.kill_nine", 3),
    "staff": Measurement("staff.rows", 1),
    "consent": Measurement("consent.rows", 3),
    "watchdog": Measurement("watchdog.pulses", 0.5),
    "enrol": Measurement("enrol.rows", 28),
    "ingest": Measurement("ingest.rows", 7),
    "flash": Measurement("flash.rows", 1),
    "start": Measurement("start.rows", 0.5),
    "outage": Measurement("outbox.ninety_days", 12),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """One row with what the machine did meanwhile."""

    row: Row
    load: str  # waiting and running processes on average, of how many processors


def main(names: Sequence[str]) -> int:
    """Run what is named, or all; 0 where every target is met."""
    console = Console()
    if names[:1] == ["--rows-of"]:
        found = MEASUREMENTS[names[1]].rows()
        sys.stdout.write(ROWS + json.dumps([asdict(row) for row in found]) + "\n")
        return 0
    if names == ["--list"]:
        console.print("\n".join(MEASUREMENTS))
        return 0
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        console.print(f"bench: {unknown[0]!r} is none of {', '.join(MEASUREMENTS)}")
        return 2
    taken: list[Taken] = []
    try:
        for each in measured(names or list(MEASUREMENTS), console):
            taken.append(each)
    except KeyboardInterrupt:
        console.print("stopped; this is what was measured so far")
    console.print(table(taken))
    return 0 if all(each.row.ok is not False for each in taken) else 1


def measured(names: Sequence[str], console: Console) -> Iterator[Taken]:
    """One measurement after the other, each row printed as it comes."""
    minutes = sum(MEASUREMENTS[name].minutes for name in names)
    console.print(
        f"{len(names)} measurements, about {minutes:.0f} minutes on a quiet machine "
        f"with two processors; here: {load()}"
    )
    for name in names:
        begun = time.monotonic()
        with console.status(f"measuring {name}"):
            rows = apart(name)
        seconds, busy = time.monotonic() - begun, load()
        for row in rows:
            console.print(
                f"{MARKS[row.ok] or '-'} {name} ({seconds:.0f} s, {busy}): "
                f"{row.what}: [bold]{row.ours}[/]"
            )
            yield Taken(row, busy)


def apart(name: str) -> list[Row]:
    """The rows of one measurement, run in its own process; a failure is a row, too."""
    limit_s = PATIENCE * 60 * MEASUREMENTS[name].minutes
    with hearing_ctrl_c():
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench", "--rows-of", name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        said, complaint = child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)  # so that it takes its own children along
        said, complaint = child.communicate(timeout=END_S)
        return [Row(name, f"no answer within {limit_s:.0f} s", ok=False)]
    lines = [line for line in said.splitlines() if line.startswith(ROWS)]
    if child.returncode or not lines:
        last = (complaint.strip().splitlines() or ["no word"])[-1]
        return [Row(name, f"failed: {last}", ok=False)]
    return [Row(**each) for each in json.loads(lines[-1].removeprefix(ROWS))]


def load() -> str:
    """The load of the last minute and the number of processors."""
    return f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()}"


def table(taken: Sequence[Taken]) -> Table:
    """All rows side by side, a column for each peer."""
    peers = sorted({peer for each in taken for peer in each.row.peers})
    shown = Table(show_lines=True)
    for title in ("what", "doorsill", *peers, "target", "", "machine"):
        shown.add_column(title, overflow="fold")
    for each in taken:
        row = each.row
        beside = (row.peers.get(peer, "") for peer in peers)
        shown.add_row(row.what, row.ours, *beside, row.target, MARKS[row.ok], each.load)
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
