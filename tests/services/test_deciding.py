"""A policy that the office publishes comes into force in ``doorsill run``, or not."""

from __future__ import annotations

import hashlib
import os
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
from cryptography.hazmat.primitives.asymmetric import ec
from limits import wait_until

from doorsill.config import Config
from doorsill.documents import canonical
from doorsill.policy.obedience import read_declaration
from doorsill.policy.verdict import IN_FORCE, Verdict, read_verdict
from doorsill.services.policies import store_of
from doorsill.wire.codec import decode
from doorsill.wire.messages import POLICY_LARGEST_BYTES, Health
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
    document = shop.signed(version=2, purpose="something else")
    shop.push(document)
    new = canonical.digest(canonical.split(document)[0])
    shop.until(lambda: shop.obeyed() == {new}, IN_FORCE_WITHIN_S)
    assert shop.verdict_on(document).word == IN_FORCE
    shop.until(lambda: shop.health().policy == new[:32])
    assert shop.process.poll() is None


def stranger() -> canonical.PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def refused_documents(shop: Shop) -> dict[str, bytes]:
    """What may never come into force, by the word of its refusal; versions are high."""
    body = shop.stage.policy_body() | {"version": 900}
    controller = shop.stage.controller
    good = shop.signed(version=900)
    return {
        "rollback": shop.signed(version=1, purpose="an older one"),
        "other_site": shop.signed(version=900, site="elsewhere"),
        "other_device": shop.signed(version=900, devices=["cam-02"]),
        "signature": canonical.seal(body, stranger()),
        "signature: one bit": good.replace(b'"version":900', b'"version":901'),
        "signature: rubbish": os.urandom(2000),
        "signature: one byte": b"\0",
        "signature: 16 KiB": b"[" * POLICY_LARGEST_BYTES,
        "expired": shop.signed(version=900, expires="2020-02-29"),
        "incomplete": shop.signed(version=900, k=2),
        "incomplete: unknown key": canonical.seal(body | {"colour": 1}, controller),
        "incomplete: no lines": shop.signed(version=900, lines=[]),
    }


NAMES = (
    "rollback", "other_site", "other_device", "signature", "signature: one bit",
    "signature: rubbish", "signature: one byte", "signature: 16 KiB", "expired",
    "incomplete", "incomplete: unknown key", "incomplete: no lines",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_may_not_be_in_force_is_refused_and_both_are_reported(
    shop: Shop, name: str
) -> None:
    """The last good one stays, in the same processes; health names both by hash."""
    in_force = store_of(shop.config).load()
    before = children_of(shop.process)
    document = refused_documents(shop)[name]
    shop.push(document)
    word = name.partition(":")[0]
    verdict = shop.verdict_on(document)
    assert verdict.word == word and abs(verdict.utc - time.time()) < WITHIN_S
    digest = hashlib.sha256(document).hexdigest()[:32]

    def reported() -> bool:
        health = shop.health()
        return health is not None and health.policy_refused == digest

    shop.until(reported)
    health = shop.health()
    assert health is not None and health.policy_why == word
    assert health.policy == in_force.digest[:32]
    assert store_of(shop.config).load() == in_force
    assert children_of(shop.process) == before


def test_the_next_good_one_ends_the_report(shop: Shop) -> None:
    document = shop.signed(version=1000, purpose="good again")
    shop.push(document)
    assert shop.verdict_on(document).word == IN_FORCE

    def reported() -> bool:
        health = shop.health()
        return health is not None and health.policy_why == "none"

    shop.until(reported)
    health = shop.health()
    assert health is not None and health.policy_refused is None
    assert health.policy == store_of(shop.config).load().digest[:32]


def test_another_signature_of_what_is_in_force_is_no_rollback(shop: Shop) -> None:
    in_force = canonical.split(shop.config.policy_in_force.read_bytes())[0]
    document = canonical.seal(in_force, shop.stage.controller)
    assert document != shop.config.policy_in_force.read_bytes()
    shop.push(document)
    assert shop.verdict_on(document).word == IN_FORCE
