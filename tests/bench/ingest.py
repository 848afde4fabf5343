"""Ingest: 22 cameras send as fast as the store keeps, through a real mosquitto.

Load, broker and store share this machine's processors. The load holds 1,000 windows on
their way, so what is kept a second is all that it can keep. The peer is the loop that
everybody writes first: paho, and an INSERT with its own commit for each message, as
durable as ours, under the same load in the same run.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ingest_load import CAMERAS, KEPT, SENT
from bench.ingest_readers import READY, ROWS
from bench.rows import Row
from broker import SITE, Site, make_site
from limits import END_S, MEASURED_S, wait_until
from messages import line
from places import ROOT
from processor import processor_s

from doorsill.wire.codec import encode

SECONDS, PEER_SECONDS = 300.0, 60.0
LEAST_A_SECOND = 1000
LATE_S = 2.0  # from message to row, the slowest in a hundred
TIMES_PEER = 3.0
KEPT_WITHIN_S = 120.0  # for what is on its way when the load ends
DAYS_BACK = 60  # the first window; a time that a store believes


@dataclass(frozen=True)
class Kept:
    """What one run kept."""

    windows: int
    seconds: float
    delays_s: list[float]
    reader_s: float  # of the processor
    broker_s: float

    @property
    def a_second(self) -> float:
        return self.windows / self.seconds

    @property
    def late_s(self) -> float:
        """The slowest in a hundred, from the message to its row."""
        return statistics.quantiles(self.delays_s, n=100)[98]


def rows(seconds: float = SECONDS, peer: float = PEER_SECONDS) -> list[Row]:
    """``seconds`` of ours, then ``peer`` seconds of the loop."""
    with tempfile.TemporaryDirectory() as folder:
        ours = measure(Path(folder) / "ours", "ours", seconds)
        loop = measure(Path(folder) / "loop", "loop", peer)
    times = ours.a_second / loop.a_second
    return [
        Row(
            f"ingest: windows a second, sustained for {seconds:.0f} s",
            f"{ours.a_second:,.0f} ({ours.windows:,} windows, none lost; broker "
            f"{ours.broker_s:.0f} s of the processor)",
            {"paho and INSERT": f"{loop.a_second:,.0f}"},
            f">= {LEAST_A_SECOND:,}, and {TIMES_PEER:g} times the loop: {times:.1f}",
            ours.a_second >= LEAST_A_SECOND and times >= TIMES_PEER,
        ),
        Row(
            "ingest: from the message to its row on the disk",
            f"median {statistics.median(ours.delays_s):.2f} s, "
            f"p99 {ours.late_s:.2f} s, worst {max(ours.delays_s):.2f} s",
            {"paho and INSERT": f"p99 {loop.late_s:.2f} s"},
            f"p99 < {LATE_S:g} s",
            ours.late_s < LATE_S,
        ),
        Row(
            "ingest: windows a second of its own processor time",
            f"{ours.windows / ours.reader_s:,.0f}",
            {"paho and INSERT": f"{loop.windows / loop.reader_s:,.0f}"},
        ),
    ]


def measure(folder: Path, which: str, seconds: float) -> Kept:
    """One run of ``which`` reader under the load."""
    folder.mkdir()
    for site in make_site(folder):
        _settle(folder, site)
        before = processor_s(site.broker.process)
        with child("ingest_readers", which, str(folder)) as reader:
            wait_until(lambda: (folder / READY).exists() or reader.poll() is not None)
            sent = _load(folder, seconds)
            broker_s = processor_s(site.broker.process) - before
            reader.send_signal(signal.SIGTERM)
            reader.wait(END_S)
        said = json.loads((folder / ROWS).read_text())
        return _kept(sent, said, broker_s)
    raise AssertionError("there was no broker")


def _load(folder: Path, seconds: float) -> list[list[float]]:
    """When each window was sent, by camera; all of them are kept when this returns."""
    load = (sys.executable, "-m", "bench.ingest_load", str(folder), str(seconds))
    subprocess.run(load, cwd=ROOT / "tests", check=True, timeout=MEASURED_S)
    sent: list[list[float]] = json.loads((folder / SENT).read_text())
    total = sum(len(each) for each in sent)
    wait_until(lambda: _count(folder) >= total, lambda: _count(folder), KEPT_WITHIN_S)
    return sent


def _settle(folder: Path, site: Site) -> None:
    """Write all that load and reader are told."""
    names = [f"cam-{number:02}" for number in range(1, CAMERAS + 1)]
    addresses = [site.address(name) for name in names]
    store = site.address("store")
    start = (int(time.time()) // 86_400 - DAYS_BACK) * 86_400
    both = {"ca": str(store.ca), "port": store.port, "start": start}
    template = encode(line(start)).decode().replace(str(start + 60), "%d")
    load = {
        "template": template.replace(str(start), "%d"),
        "cameras": [
            {
                "certificate": str(each.certificate),
                "key": str(each.key),
                "client": each.client,
                "topic": f"doorsill/{SITE}/{each.device}/interval",
            }
            for each in addresses
        ],
    }
    reader = {
        "name": "store",
        "certificate": str(store.certificate),
        "key": str(store.key),
    }
    (folder / "load.json").write_text(json.dumps(both | load))
    (folder / "reader.json").write_text(json.dumps(both | reader))
    (folder / KEPT).write_bytes(bytes(8))


@contextmanager
def child(module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this bench; killed where it does not end."""
    command = [sys.executable, "-m", f"bench.{module}", *words]
    found = subprocess.Popen(command, cwd=ROOT / "tests")
    try:
        yield found
    finally:
        found.kill()
        found.wait(END_S)


def _count(folder: Path) -> int:
    return int.from_bytes((folder / KEPT).read_bytes(), "little")


def _kept(sent: list[list[float]], said: dict[str, Any], broker_s: float) -> Kept:
    """Each window that was sent beside its row; AssertionError where one is missing."""
    delays, first, last = [], min(each[0] for each in sent), 0.0
    for number, times in enumerate(sent, 1):
        rows = dict(said["rows"][f"doorsill/{SITE}/cam-{number:02}/interval"])
        assert rows.keys() == set(range(len(times))), f"cam-{number:02} lost windows"
        delays += [rows[each] - at for each, at in enumerate(times)]
        last = max(last, *rows.values())
    return Kept(len(delays), last - first, delays, said["processor_s"], broker_s)
