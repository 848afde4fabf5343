"""Measure doorsill against the peers: ``python -m tests.bench [name ...]``.

Without names all are run; ``--list`` prints the names. Ends with 1 where a target is
missed. A measurement gives one Row or several.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import consent, door, outbox, tracking
from bench.rows import Row

MEASUREMENTS: dict[str, Callable[[], Row | Iterable[Row]]] = {
    "speed": tracking.speed,
    "hard": tracking.hard,
    "hour": tracking.hour,
    "clips": door.clips,
    "overhead": door.overhead,
    "idle": door.idle,
    "memory": door.memory,
    "kill": outbox.kill_nine,
    "outage": outbox.ninety_days,
    "consent": consent.rows,
}


def main(names: list[str]) -> int:
    """Run what is named, or all; 0 where every target is met."""
    console = Console()
    if names == ["--list"]:
        console.print("\n".join(MEASUREMENTS))
        return 0
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        console.print(f"bench: {unknown[0]!r} is none of {', '.join(MEASUREMENTS)}")
        return 2
    rows: list[Row] = []
    for name in names or MEASUREMENTS:
        with console.status(f"measuring {name}"):
            found = MEASUREMENTS[name]()
        rows += [found] if isinstance(found, Row) else list(found)
    console.print(table(rows))
    return 0 if all(row.ok is not False for row in rows) else 1


def table(rows: list[Row]) -> Table:
    """All rows side by side, a column for each peer."""
    peers = sorted({peer for row in rows for peer in row.peers})
    shown = Table(show_lines=True)
    for title in ("what", "doorsill", *peers, "target", ""):
        shown.add_column(title, overflow="fold")
    marks = {True: "[green]ok[/]", False: "[red]missed[/]", None: ""}
    for row in rows:
        beside = (row.peers.get(peer, "") for peer in peers)
        shown.add_row(row.what, row.ours, *beside, row.target, marks[row.ok])
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
