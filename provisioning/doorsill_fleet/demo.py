"""The demo: a real shop in a temporary folder, counted for a minute, then gone.

broker ◄── uplink ◄── vision ◄── clip          three child processes of the product
  │
  └─► subscriber ─► SQLite ─► what is shown    this process: only what was published
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console, RenderableType
from rich.live import Live

from doorsill.config import Config
from doorsill.drivers.clip import street_truth
from doorsill.errors import CameraError
from doorsill.run_cli import children, names_of, prepare
from doorsill.vision.window import RUNNING_S
from doorsill_fleet.broker import HOST, running_broker
from doorsill_fleet.demo_token import Token
from doorsill_fleet.demo_view import Measured, Received, Truth, picture
from doorsill_fleet.stage import DEVICE, READER, SITE, Point, Stage
from doorsill_fleet.store import Store
from doorsill_fleet.subscriber import Reader, Subscriber

Running = dict[str, subprocess.Popen[bytes]]
REFRESH_S = 0.25
PLAIN_EVERY_S = 10.0  # between two lines where there is no terminal
READY_WITHIN_S = 20.0
LOG, LINES = "processes.log", 20  # the last lines are shown where a process failed
LAST_WITHIN_S = 5.0  # for the last windows to arrive
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".raw", ".yuv", ".rgb", ".mp4")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show, and for how long."""

    seconds: float
    source: str = ""  # a recording; empty for the street
    lines: tuple[tuple[Point, ...], ...] = ()
    detector: str = "detector"
    token: bool = False
    verbose: bool = False  # the processes' logs on our stderr, through the view


@dataclass(slots=True)
class Outcome:
    """What it came to: published by the device, and what really happened."""

    counted: list[tuple[int, int]]
    truth: tuple[tuple[int, int], ...] | None
    received: Received
    looked_s: int
    raw_faces: int
    failures: list[str] = field(default_factory=list)
    certificates: int = 0
    vault: list[str] = field(default_factory=list)  # what it said, in turn


def play(plan: Plan, console: Console) -> Outcome:
    """Set the stage, count, and clear everything away."""
    with (
        TemporaryDirectory(prefix="doorsill-") as name,
        contextlib.ExitStack() as exits,
    ):
        folder = Path(name)
        token = None
        if plan.token:
            token = exits.enter_context(Token(folder, SITE, plan.seconds))
        stage = _stage(plan, folder, token)
        config = stage.set()
        exits.enter_context(running_broker(stage.broker))
        prepare(config)
        received = Received()
        store = Store(folder / "store.db", SITE)
        exits.callback(store.close)
        exits.enter_context(_subscriber(stage, store, received))
        show = _Show(plan, config, received, console, token)
        names = names_of(config)
        log = None if plan.verbose else exits.enter_context((folder / LOG).open("wb"))
        with (
            _environment(token),
            children(stage.configuration, names, log) as running,
        ):
            failures = show.watch(running)
        _wait_for_last(received)
        outcome = _outcome(
            plan, folder, store, received, failures, token, config, stage
        )
        outcome.vault = show.vault
        if outcome.looked_s == 0 and not failures:
            failures.append("the camera showed nothing")
        if failures and log is not None:
            failures += (
                (folder / LOG).read_text("utf-8", "replace").splitlines()[-LINES:]
            )
        return outcome


@dataclass(slots=True)
class _Show:
    """Draws what has been received until the time is over or a process ends."""

    plan: Plan
    config: Config
    received: Received
    console: Console
    token: Token | None
    vault: list[str] = field(default_factory=list)
    began: float | None = None  # when the camera did, in seconds of the demo

    def watch(self, running: Running) -> list[str]:
        """The failures; empty when all went well."""
        begun = time.monotonic()
        plain_at = begun
        with Live(console=self.console, auto_refresh=False, transient=False) as live:
            while (elapsed := time.monotonic() - begun) < self.plan.seconds:
                ended = _ended(running)
                if ended is not None:
                    return ended
                if self.token is not None:
                    self.token.act(elapsed)
                shown = self._picture(elapsed)
                if self.console.is_terminal:
                    live.update(shown, refresh=True)
                elif time.monotonic() >= plain_at:
                    self.console.print(self._plain(elapsed))
                    plain_at += PLAIN_EVERY_S
                time.sleep(REFRESH_S)
        return []

    def _vault(self) -> str:
        if self.token is None:
            return ""
        says = self.token.says(self.config)
        word = says.split(" ")[0]
        if not self.vault or self.vault[-1] != word:
            self.vault.append(word)
        return says

    def _picture(self, elapsed: float) -> RenderableType:
        vault = self._vault()
        faces = raw_faces(self.config)
        measured = Measured(elapsed, self.plan.seconds, faces, vault)
        truth = truth_of(self.plan, self._looked(elapsed))
        return picture(self.received, truth, measured)

    def _looked(self, elapsed: float) -> float:
        """Seconds since the camera began: its first totals come ``RUNNING_S`` later."""
        if self.began is None and self.received.live:
            self.began = max(0.0, elapsed - RUNNING_S)
        return 0.0 if self.began is None else elapsed - self.began

    def _plain(self, elapsed: float) -> str:
        counted = " ".join(f"in {i} out {o}" for i, o in self.received.live) or "-"
        vault = "" if self.token is None else f", vault {self._vault()}"
        return (
            f"{elapsed:3.0f} s: {self.received.state}, {counted}, "
            f"{self.received.payload_bytes} bytes left the device{vault}"
        )


def truth_of(plan: Plan, seconds: float) -> Truth:
    """What really crossed in the first ``seconds`` of the street, round after round."""
    if plan.source:
        return Truth(None)
    truth = street_truth()
    length = truth["frames"] / truth["fps"]
    counts = [0, 0]
    for crossing in truth["crossings"]:
        rounds = int(max(0.0, seconds - crossing["t"]) // length)
        happened = rounds + (seconds >= crossing["t"])
        counts[crossing["direction"] == "out"] += happened
    return Truth(((counts[0], counts[1]),))


def raw_faces(config: Config) -> int:
    """Pictures on the device's disk: files that are images by name or by content."""
    found = 0
    for folder in (config.device.state, config.device.run):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and _is_picture(path):
                    found += 1
    return found


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    magic = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"GIF8")
    return path.suffix.lower() in IMAGE_SUFFIXES or head.startswith(magic)


def _stage(plan: Plan, folder: Path, token: Token | None) -> Stage:
    line = street_truth()["line"]
    street = ((tuple(line[:2]), tuple(line[2:])),)
    stage = Stage(folder, plan.lines or street, detector=plan.detector)
    if plan.source:
        path = Path(plan.source).resolve()
        if not path.exists():
            raise CameraError(f"SOURCE = {plan.source} does not exist")
        stage.driver, stage.source = "video", str(path)
    if token is not None:
        stage.consent, stage.more = token.policy, token.configuration
    return stage


@contextlib.contextmanager
def _subscriber(stage: Stage, store: Store, received: Received) -> Iterator[Subscriber]:
    folder = stage.folder
    reader = Reader(
        READER,
        HOST,
        stage.broker.port,
        folder / "broker" / "ca.pem",
        folder / f"{READER}.pem",
        folder / f"{READER}.key",
    )
    subscriber = Subscriber(reader, store, received.take)
    subscriber.start()
    try:
        subscriber.ready.wait(READY_WITHIN_S)
        yield subscriber
    finally:
        subscriber.stop()


@contextlib.contextmanager
def _environment(token: Token | None) -> Iterator[None]:
    """What the children need to find our card stack; taken back afterwards."""
    before = dict(os.environ)
    os.environ.update({} if token is None else token.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _ended(running: Running) -> list[str] | None:
    """None while all run; [] where a recording ended well, else what failed."""
    for name, child in running.items():
        code = child.poll()
        if code is not None:
            clean = name == "vision" and code == 0
            return [] if clean else [f"{name} ended with {code}"]
    return None


def _wait_for_last(received: Received) -> None:
    """The uplink said goodbye after its last window; wait for the goodbye."""
    deadline = time.monotonic() + LAST_WITHIN_S
    while received.state != "disconnected" and time.monotonic() < deadline:
        time.sleep(0.05)


def _outcome(
    plan: Plan,
    folder: Path,
    store: Store,
    received: Received,
    failures: list[str],
    token: Token | None,
    config: Config,
    stage: Stage,
) -> Outcome:
    count = len(stage.lines)
    looked = store.covered(DEVICE, 0)
    return Outcome(
        counted=[store.totals(DEVICE, line) for line in range(count)],
        # Where a busy machine left frames out, people crossed all the same.
        truth=truth_of(plan, store.told(DEVICE, 0)).lines,
        received=received,
        looked_s=looked,
        raw_faces=raw_faces(config),
        failures=failures,
        certificates=0 if token is None else token.verified(config, stage),
    )
