"""The demo: a real shop in a temporary folder, counted for a minute, then gone.

broker ◄── uplink ◄── vision ◄── clip          three child processes of the product
  │
  └─► subscriber ─► SQLite ─► what is shown    this process: only what was published
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console

from doorsill.config import Config, ModelSection
from doorsill.drivers.camera.clip import street_truth
from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import UplinkError
from doorsill.services.children import children, names_of, prepare
from doorsill.services.detectors import open_detector
from doorsill_fleet.broker.mosquitto import HOST, running_broker
from doorsill_fleet.demo import judge
from doorsill_fleet.demo.plan import Plan, truth_of
from doorsill_fleet.demo.raw_faces import raw_faces
from doorsill_fleet.demo.show import Show
from doorsill_fleet.demo.view import Received
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage
from doorsill_fleet.store.windows import Store

if TYPE_CHECKING:  # it needs pyscard, and a demo without a card does not
    from doorsill_fleet.demo.token import Token

READY_WITHIN_S = 20.0  # limit for the subscriber to connect
LOG = "processes.log"  # of the processes
LINES = 20  # last lines of it that are shown if a process failed
LAST_WITHIN_S = 5.0  # for the last windows to arrive


@dataclass(slots=True)
class Outcome:
    """The result: what the device published, and what really happened."""

    counted: list[tuple[int, int]]
    truth: tuple[tuple[int, int], ...] | None
    received: Received
    looked_s: int
    raw_faces: int
    failures: list[str] = field(default_factory=list)
    certificates: int = 0
    vault: list[str] = field(default_factory=list)  # what it said, in turn


def play(plan: Plan, console: Console) -> Outcome:
    """Set the stage, count, and remove everything; see ``require_playable``."""
    with (
        TemporaryDirectory(prefix="doorsill-") as name,
        contextlib.ExitStack() as exits,
    ):
        folder = Path(name)
        token = None
        if plan.token:
            from doorsill_fleet.demo.token import Token

            token = exits.enter_context(Token(folder, SITE, plan.seconds))
        stage = _stage(plan, folder, token)
        config = stage.set()
        exits.enter_context(running_broker(stage.broker))
        prepare(config)
        received = Received()
        store = Store(folder / "store.db", SITE)
        exits.callback(store.close)
        exits.enter_context(_subscriber(stage, store, received))
        show = Show(plan, config, received, console, token)
        names = names_of(config)
        log = None if plan.verbose else exits.enter_context((folder / LOG).open("wb"))
        with (
            _environment(token),
            children(stage.configuration, names, log) as running,
        ):
            failures = show.watch(running)
        _wait_for_last(received)
        outcome = _outcome(
            plan, folder, store, received, failures, token, config, stage, show
        )
        outcome.vault = show.vault
        if not failures:
            failures += _faults(plan, outcome)
        if failures and log is not None:
            failures += (
                (folder / LOG).read_text("utf-8", "replace").splitlines()[-LINES:]
            )
        return outcome


def _stage(plan: Plan, folder: Path, token: Token | None) -> Stage:
    line = street_truth()["line"]
    street = ((tuple(line[:2]), tuple(line[2:])),)
    stage = Stage(folder, plan.lines or street, detector=plan.detector)
    if plan.source:
        stage.driver, stage.source = "video", str(Path(plan.source).resolve())
    if token is not None:
        stage.consent, stage.more = token.policy, token.configuration
    return stage


def require_playable(source: str, detector: str) -> None:
    """CameraError or ConfigError if the source gives no picture, or no model fits.

    Asked before anything is started: vision itself, once closed, cannot say a name.
    """
    fit = open_detector(ModelSection(detector=detector)).fit
    if source:
        open_camera("video", source, fit, live=False).close()


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
        if not subscriber.ready.wait(READY_WITHIN_S):
            raise UplinkError(
                f"the broker did not take the subscriber within {READY_WITHIN_S:g} s: "
                f"{stage.broker.last_words()}"
            )
        yield subscriber
    finally:
        subscriber.stop()


@contextlib.contextmanager
def _environment(token: Token | None) -> Iterator[None]:
    """The environment in which children find our card stack; removed afterwards."""
    before = dict(os.environ)
    os.environ.update({} if token is None else token.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_for_last(received: Received) -> None:
    """Wait for the uplink's farewell, which comes after its last window."""
    deadline = time.monotonic() + LAST_WITHIN_S
    while received.state != "disconnected" and time.monotonic() < deadline:
        time.sleep(0.05)


def _faults(plan: Plan, outcome: Outcome) -> list[str]:
    """What went wrong although every process ran to the end."""
    if outcome.looked_s == 0:
        return ["the camera showed nothing"]
    card = judge.vault_faults(outcome.vault, plan.seconds) if plan.token else []
    return card + judge.miscounts(outcome.counted, outcome.truth)


def _outcome(
    plan: Plan,
    folder: Path,
    store: Store,
    received: Received,
    failures: list[str],
    token: Token | None,
    config: Config,
    stage: Stage,
    show: Show,
) -> Outcome:
    count = len(stage.lines)
    looked = store.covered(DEVICE, 0)
    return Outcome(
        counted=[store.totals(DEVICE, line) for line in range(count)],
        # Where a busy machine left frames out, people crossed all the same.
        truth=truth_of(plan, max(looked, show.looked)).lines,
        received=received,
        looked_s=looked,
        raw_faces=raw_faces(config),
        failures=failures,
        certificates=0 if token is None else token.count_certificates(config, stage),
    )
