"""A policy that the office publishes comes into force in ``doorsill run``, or not."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from by_air import Office, office
from children import children_of
from limits import wait_until

from doorsill.config import Config, load_config
from doorsill.documents import canonical
from doorsill.policy.obedience import read_declaration
from doorsill.policy.verdict import IN_FORCE, Verdict, read_verdict
from doorsill.services.policies import store_of
from doorsill.wire.codec import decode
from doorsill.wire.messages import Health, LineInterval
from doorsill_fleet.broker.mosquitto import running_broker
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage
from doorsill_fleet.store.windows import Store

LINE = (((0.022, 0.659), (0.978, 0.659)),)
WITHIN_S = 40.0
IN_FORCE_WITHIN_S = 15.0  # from the office's PUBACK to vision and uplink that obey


@dataclass
class Shop:
    """A device that runs, its broker, its office, and what the shop heard of it."""

    stage: Stage
    config: Config
    office: Office
    process: subprocess.Popen[bytes]
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def signed(self, **changes: Any) -> bytes:
        """A signed policy that differs from the first one."""
        return canonical.seal(self.stage.policy_body() | changes, self.stage.controller)

    def push(self, document: bytes) -> None:
        self.office.push(DEVICE, document)

    def said(self) -> str:
        return (self.stage.folder / "log").read_text(errors="replace")

    def until(self, done: Any, within_s: float = WITHIN_S) -> Any:
        return wait_until(done, self.said, within_s, between=lambda: time.sleep(0.05))

    def on(self, stream: str) -> list[Any]:
        return [
            decode(stream, payload)
            for topic, payload in list(self.heard)
            if topic.endswith(f"/{stream}")
        ]

    def health(self) -> Health | None:
        found = self.on("health")
        return found[-1] if found else None

    def obeyed(self) -> set[str | None]:
        names = ("vision", "uplink")
        return {read_declaration(self.config.declaration(name)) for name in names}

    def verdict_on(self, document: bytes) -> Verdict:
        """What was decided on exactly these bytes."""
        digest = hashlib.sha256(document).hexdigest()

        def found() -> Verdict | None:
            said = read_verdict(self.config.verdict)
            return said if said is not None and said.digest == digest else None

        verdict = self.until(found)
        assert isinstance(verdict, Verdict)
        return verdict


@contextmanager
def running(folder: Path) -> Iterator[Shop]:
    stage = Stage(folder, LINE)
    config = stage.set()
    with (
        running_broker(stage.broker),
        office(stage.broker, folder) as publishing,
        (folder / "log").open("wb") as log,
    ):
        ca, port = folder / "broker" / "ca.pem", stage.broker.port
        pem, key = folder / f"{READER}.pem", folder / f"{READER}.key"
        store = Store(folder / "store.db", SITE)
        reader = Reader(READER, "127.0.0.1", port, ca, pem, key)
        heard: list[tuple[str, bytes]] = []
        subscriber = Subscriber(reader, store, lambda *each: heard.append(each))
        subscriber.start()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "doorsill",
                "run",
                "--config",
                str(stage.configuration),
            ],
            stdout=log,
            stderr=log,
        )
        shop = Shop(stage, config, publishing, process, heard)
        try:
            shop.until(shop.health)
            yield shop
        finally:
            process.terminate()
            process.wait(WITHIN_S)
            subscriber.stop()
            store.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running(tmp_path_factory.mktemp("air")) as found:
        yield found


def test_a_policy_by_air_comes_into_force_without_a_hand(shop: Shop) -> None:
    old = store_of(shop.config).load().digest
    shop.until(lambda: shop.obeyed() == {old})
    began = time.monotonic()
    document = shop.signed(version=2, purpose="something else")
    shop.push(document)
    new = canonical.digest(canonical.split(document)[0])
    shop.until(lambda: shop.obeyed() == {new}, IN_FORCE_WITHIN_S)
    print("took", time.monotonic() - began)
    assert shop.verdict_on(document).word == IN_FORCE
    shop.until(lambda: shop.health().policy == new[:32])
    assert shop.process.poll() is None
