"""The outbox: thirty runs with SIGKILL, and ninety days sent after an outage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rows import Row
from broker import Site, make_site
from kills import Camera, database, replay, run

from doorsill_fleet.ingest.subscriber import Subscriber
from doorsill_fleet.store.windows import Store

RUNS = 30
NINETY_DAYS = 90 * 24 * 60


def kill_nine(runs: int = RUNS) -> Row:
    """``runs`` runs of 120 windows, each with one kill -9 at a random moment."""
    outcomes = []
    with shop() as (site, store, subscriber, root):
        for seed in range(runs):
            camera = Camera(site, root / f"cam-{seed}", f"cam-{seed}")
            outcomes.append(run(camera, store, subscriber, kills=1, seed=seed))
    clean = sum(not (each.lost or each.invented) for each in outcomes)
    lost = sum(each.lost for each in outcomes)
    twice = sum(each.invented for each in outcomes)
    return Row(
        "outbox: kill -9 of the uplink at a random moment",
        f"{clean} of {runs} runs clean: {lost} windows lost, {twice} counted twice",
        target=f"{runs} of {runs}",
        ok=clean == runs,
    )


def ninety_days(windows: int = NINETY_DAYS) -> Row:
    """``windows`` minutes sent after an outage, through the whole chain."""
    with shop() as (site, store, subscriber, root):
        camera = Camera(site, root / "cam", "cam-01")
        told = replay(camera, store, subscriber, windows)
    order = "in order" if told.in_order else "NOT in order"
    return Row(
        "outbox: 90 days of minutes after an outage",
        f"{told.windows:,} told, {told.historical:,} as history, {order}, "
        f"{told.seconds:.0f} s ({told.windows / told.seconds:.0f}/s), "
        f"uplink {told.resident_kib / 1024:.0f} MiB",
        target=f"{windows:,} in order, all as history",
        ok=told.windows == told.historical == windows and told.in_order,
    )


@contextmanager
def shop() -> Iterator[tuple[Site, Store, Subscriber, Path]]:
    """A broker and the shop's database, thrown away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for site in make_site(root):
            with database(site, root) as (store, subscriber):
                yield site, store, subscriber, root
