"""The outbox: thirty runs with SIGKILL, and ninety days told after an outage."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from broker import make_site
from kills import Camera, database, replay, run

RUNS = 30
NINETY_DAYS = 90 * 24 * 60


def row(runs: int = RUNS, windows: int = NINETY_DAYS) -> dict[str, Any]:
    """What the table says of the outbox; takes about seven minutes."""
    return {**kill_row(runs), **replay_row(windows)}


def kill_row(runs: int = RUNS) -> dict[str, Any]:
    """``runs`` runs of 120 windows, each with one kill -9 at a random moment."""
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for site in make_site(root):
            with database(site, root) as (store, subscriber):
                for seed in range(runs):
                    name = f"cam-{seed}"
                    camera = Camera(site, root / name, name)
                    outcomes.append(run(camera, store, subscriber, 1, seed))
    return {
        "kill_runs": runs,
        "kill_runs_clean": sum(not (each.lost or each.invented) for each in outcomes),
        "lost": sum(each.lost for each in outcomes),
        "counted_twice": sum(each.invented for each in outcomes),
        "told_again": sum(each.told_again for each in outcomes),
    }


def replay_row(windows: int = NINETY_DAYS) -> dict[str, Any]:
    """``windows`` minutes told after an outage."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for site in make_site(root):
            with database(site, root) as (store, subscriber):
                camera = Camera(site, root / "cam", "cam-01")
                told = replay(camera, store, subscriber, windows)
    return {
        "replayed": told.windows,
        "historical": told.historical,
        "in_order": told.in_order,
        "seconds": round(told.seconds, 1),
        "per_second": round(told.windows / told.seconds),
        "uplink_resident_mib": round(told.resident_kib / 1024, 1),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(row()) + "\n")
