"""The uplink as the process it is, killed with SIGKILL and started again.

    vision (here) ─► uplink (a child, killed) ─► mosquitto ─► the shop's database

Used by ``test_power_cut.py`` with a few runs and by the bench with thirty.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker import SITE, Site
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from limits import END_S

from doorsill.cells import LineCell, Quality
from doorsill.channels.cell_link import CellServer, Received
from doorsill.documents import canonical
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.pieces import Places
from doorsill.uplink.reports import Release, entries_of
from doorsill.uplink.rows import Batch, Entry
from doorsill.uplink.tally import Tally
from doorsill.uplink.tally_text import text_of
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.store.windows import Store

WITHIN_S = 60.0
START = 1_700_000_040  # long ago: history
PLACES = Places(1, 0)
EPOCH = 0xD00551

# The process as it is, but for its patience: it takes minutes of long ago, and what
# waits goes out at once and not with the full minute.
HURRIED = """
import sys
from doorsill.cli import main as cli
from doorsill.services import uplink_opening as service
from doorsill.uplink.pace import Pace
service.PACE = Pace(minute_s=0.0, live_s=0.0, state_s=0.0, state_rest_s=0.0)
service.booted_at = lambda utc: 0
sys.exit(cli.run(sys.argv[1:]))
"""


def cell(minute: int, *, closed: bool = True) -> LineCell:
    """Minute after minute, with counts that differ."""
    into, out = minute % 7, minute % 5
    return LineCell(
        line=0,
        start=START + 60 * minute,
        duration_s=60,
        closed=closed,
        count_in=into,
        count_out=out,
        coverage_ms=60_000,
        quality=Quality.GOOD,
    )


def truth(windows: int) -> tuple[int, int]:
    """In and out of the first ``windows`` minutes."""
    return sum(n % 7 for n in range(windows)), sum(n % 5 for n in range(windows))


CONFIG = """
[device]
id = "{name}"
site = "{site}"
state = "state"
run = "run"
[camera]
driver = "street"
[policy]
file = "policy.json"
controller_key = "controller.pem"
[broker]
host = "{host}"
port = {port}
ca = "{ca}"
certificate = "{certificate}"
key = "{key}"
"""


@dataclass
class Camera:
    """One device's folder, its configuration, and its uplink process."""

    site: Site
    folder: Path
    name: str
    hurried: bool = True
    zones: bool = False  # one zone and no line, in place of one line
    _child: subprocess.Popen[bytes] | None = field(default=None)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        own = self.site.address(self.name)
        controller = ec.generate_private_key(ec.SECP256R1())
        public = controller.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        (self.folder / "controller.pem").write_bytes(public)
        for name in ("run", "state/outbox", "state/policy"):
            (self.folder / name).mkdir(parents=True)
        sealed = canonical.seal(_policy(self.zones), controller)
        (self.folder / "state/policy/policy.json").write_bytes(sealed)
        text = CONFIG.format(
            name=self.name,
            site=SITE,
            host=own.host,
            port=own.port,
            ca=own.ca,
            certificate=own.certificate,
            key=own.key,
        )
        (self.folder / "doorsill.toml").write_text(text)

    def start(self) -> None:
        """As systemd does."""
        config = str(self.folder / "doorsill.toml")
        program = ["-c", HURRIED] if self.hurried else ["-m", "doorsill"]
        command = [sys.executable, *program, "run", "--only", "uplink"]
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                [*command, "--config", config],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._child is not None
        return self._child.pid

    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def kill(self) -> None:
        """SIGKILL: what a power cut is to a process."""
        assert self._child is not None
        self._child.kill()
        self._child.wait(END_S)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._child is not None
        self._child.terminate()
        with suppress(subprocess.TimeoutExpired):
            return self._child.wait(20)
        self.kill()
        return -9

    def status(self) -> dict[str, str]:
        """What the kernel says of the child, now."""
        assert self._child is not None
        text = Path(f"/proc/{self._child.pid}/status").read_text()
        pairs = [line.partition(":") for line in text.splitlines()]
        return {name: value.strip() for name, _, value in pairs}

    def resident_kib(self) -> int:
        """Of the child, now."""
        return int(self.status()["VmRSS"].split()[0])

    def words(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


LINE = {"lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}]}
SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
ZONE = {"zones": [{"id": "till", "kind": "count", "polygon": SQUARE}]}


def _policy(zones: bool) -> dict[str, object]:
    return {
        "format": "doorsill-policy/1", "version": 1, "site": SITE,
        "purpose": "count", "controller": "A shop", "timezone": "UTC",
        "attributes": False, "k": 10, "epsilon_per_day": 1.0,
        **(ZONE if zones else LINE),
    }  # fmt: skip


@contextmanager
def database(site: Site, folder: Path) -> Iterator[tuple[Store, Subscriber]]:
    """The shop's database, filled by a subscriber."""
    own = site.address("store")
    reader = Reader("store", own.host, own.port, own.ca, own.certificate, own.key)
    store = Store(folder / "store.db", SITE)
    subscriber = Subscriber(reader, store)
    subscriber.start()
    assert subscriber.ready.wait(WITHIN_S)
    try:
        yield store, subscriber
    finally:
        subscriber.stop()
        store.close()


@dataclass(frozen=True)
class Outcome:
    """What one run of kills cost."""

    lost: int
    invented: int
    told_again: int  # at least once is not exactly once: the database threw these away
    killed_at: tuple[int, ...]  # windows in the database at each kill


def run(
    camera: Camera, store: Store, subscriber: Subscriber, kills: int, seed: int
) -> Outcome:
    """Send windows, kill the uplink ``kills`` times at random moments, and compare."""
    dice = random.Random(seed)
    windows, killed_at = 60 * (kills + 1), []
    vision = CellServer(camera.folder / "run" / "cells.sock")
    again = subscriber.kept.repeated
    camera.start()
    minutes = iter(range(windows))
    for turn in range(kills + 1):
        target = min(windows, 60 * turn + dice.randrange(5, 60))
        last = turn == kills
        _feed(camera, vision, store, minutes, windows if last else target)
        if not last:
            deadline = time.monotonic() + dice.random() * 0.05
            while time.monotonic() < deadline:
                _send(vision, minutes, 1)
            killed_at.append(_stored(store, camera))
            camera.kill()
            camera.start()
    camera.stop()
    vision.close()
    lost, invented = compare(store.windows(camera.name, 0), windows)
    if not lost and not invented:
        assert store.totals(camera.name, 0) == truth(windows)
    repeated = subscriber.kept.repeated - again
    return Outcome(lost, invented, repeated, tuple(killed_at))


def compare(rows: Sequence[tuple[int, int, int, str]], windows: int) -> tuple[int, int]:
    """How many windows are not there, and how many are that should not be."""
    wanted = {(START + 60 * n, n % 7, n % 5, "") for n in range(windows)}
    return len(wanted - set(rows)), len(rows) - len(wanted & set(rows))


def _feed(
    camera: Camera,
    vision: CellServer,
    store: Store,
    minutes: Iterator[int],
    target: int,
) -> None:
    """Until ``target`` windows are in the database."""
    deadline = time.monotonic() + WITHIN_S
    while _stored(store, camera) < target:
        assert time.monotonic() < deadline, camera.words()
        assert camera.alive(), camera.words()
        _send(vision, minutes, 2)
        time.sleep(0.002)


def _send(vision: CellServer, minutes: Iterator[int], count: int) -> None:
    for minute in itertools.islice(minutes, count):
        vision.send(cell(minute, closed=False))
        vision.send(cell(minute))
    vision.poll()


def _stored(store: Store, camera: Camera) -> int:
    return len(store.windows(camera.name, 0))


@dataclass(frozen=True)
class Replay:
    """An outage, sent afterwards."""

    windows: int
    seconds: float
    in_order: bool
    historical: int
    resident_kib: int


def replay(
    camera: Camera, store: Store, subscriber: Subscriber, windows: int
) -> Replay:
    """Fill the outbox as an outage does, start the uplink, and time the telling."""
    outbox = Outbox(camera.folder / "state/outbox/outbox.db", lambda: 20_000)
    release, tally = Release("0.1.0", "ab" * 16, "cd" * 16), Tally(PLACES, EPOCH, 0)
    for first in range(0, windows, 1000):
        entries: list[Entry] = []
        for number in range(first, min(first + 1000, windows)):
            closed = tally.take(Received(1, number + 1, cell(number)), time.time())
            for minute in closed:
                entries += entries_of(minute, release, 10)
        outbox.store(Batch(entries, text_of(tally)))
    outbox.close()
    order: list[bytes] = []
    subscriber.heard = lambda topic, payload: (
        order.append(payload) if topic.endswith("/interval") else None
    )
    begun = time.monotonic()
    camera.start()
    deadline = begun + 3 * WITHIN_S + windows / 100
    while subscriber.kept.new < windows or _stored(store, camera) < windows:
        assert time.monotonic() < deadline, camera.words()
        time.sleep(0.05)
    seconds, resident = time.monotonic() - begun, camera.resident_kib()
    camera.stop()
    starts = [int(each.split(b'"start":')[1].split(b",")[0]) for each in order]
    first_told = list(dict.fromkeys(starts))
    return Replay(
        windows=len(first_told),
        seconds=seconds,
        in_order=first_told == sorted(first_told),
        historical=sum(b'"is_historical":true' in each for each in set(order)),
        resident_kib=resident,
    )
