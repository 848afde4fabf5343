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
from children import children_of, cut_power
from cryptography.hazmat.primitives.asymmetric import ec
from limits import wait_until

from doorsill.channels.control import ask
from doorsill.config import Config
from doorsill.documents import canonical
from doorsill.documents.durable import put
from doorsill.policy.obedience import read_declaration
from doorsill.policy.verdict import IN_FORCE, Verdict, read_verdict
from doorsill.services.policies import store_of
from doorsill.wire.codec import decode
from doorsill.wire.messages import POLICY_LARGEST_BYTES, Health, LineInterval
from doorsill_fleet.broker.mosquitto import running_broker
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage
from doorsill_fleet.store.windows import Store

LINE = (((0.022, 0.659), (0.978, 0.659)),)
WITHIN_S = 40.0
TWO_MINUTES_S = 160.0  # what is left of the old one, the new one, and to come here
IN_FORCE_WITHIN_S = 15.0  # from the office's PUBACK to vision and uplink that obey


@dataclass
class Shop:
    """A device that runs, its broker, its office, and what the shop heard of it."""

    stage: Stage
    config: Config
    office: Office
    process: subprocess.Popen[bytes]
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    first: str = ""  # the policy that it began with, as messages carry it
    changed_at: float = 0.0  # when the first one by air was in force, UTC s

    def in_force(self) -> str:
        """The policy at this moment, as messages carry it."""
        return store_of(self.config).load().digest[:32]

    def minutes(self, policy: str) -> list[LineInterval]:
        """What was counted under a policy."""
        return [each for each in self.on("interval") if each.policy == policy]

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

    def lasting(self) -> dict[str, int]:
        """Vision and uplink, without a policy process that decides and ends."""
        found = children_of(self.process)
        return {name: pid for name, pid in found.items() if name != "policy"}

    def arrived(self) -> int:
        """How many policies came by air, as the uplink logged it."""
        return self.said().count("a policy came by air")

    def obeyed(self) -> set[str | None]:
        names = ("vision", "uplink")
        return {read_declaration(self.config.declaration(name)) for name in names}

    def counts(self) -> bool:
        """Whether vision has said that frames come."""
        answer, _ = ask(self.config.uplink_socket, "status", "uplink")
        return bool(answer["vision"]["picture"] == "fresh")

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
            shop.first = shop.in_force()
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
    shop.until(shop.counts)  # so that there is a minute under the old one
    document = shop.signed(version=2, purpose="something else")
    shop.push(document)
    new = canonical.digest(canonical.split(document)[0])
    shop.until(lambda: shop.obeyed() == {new}, IN_FORCE_WITHIN_S)
    assert shop.verdict_on(document).word == IN_FORCE
    shop.changed_at = time.time()
    shop.until(lambda: shop.health().policy == new[:32])
    assert shop.process.poll() is None


def test_17_kib_never_set_out_and_the_connection_holds(shop: Shop) -> None:
    """The broker was told how much may come; the office's program says it at once."""
    before, connected = shop.arrived(), shop.said().count("connected to the broker")
    shop.push(b"{" + b" " * (17 << 10))
    document = refused_document(shop, "signature")
    shop.push(document)
    assert shop.verdict_on(document).word == "signature"
    assert shop.arrived() == before + 1
    assert shop.said().count("connected to the broker") == connected


def refused_document(shop: Shop, word: str) -> bytes:
    """What may never come into force; ``test_arrival`` has more of each word."""
    body = shop.stage.policy_body() | {"version": 900}
    changes: dict[str, dict[str, Any]] = {
        "rollback": {"version": 1, "purpose": "an older one"},
        "other_site": {"site": "elsewhere"},
        "other_device": {"devices": ["cam-02"]},
        "expired": {"expires": "2020-02-29"},
        "incomplete": {"colour": "red"},
    }
    if word in changes:
        return canonical.seal(body | changes[word], shop.stage.controller)
    if word == "signature":
        return canonical.seal(body, ec.generate_private_key(ec.SECP256R1()))
    return os.urandom(POLICY_LARGEST_BYTES)


REFUSED = (
    "rollback",
    "other_site",
    "other_device",
    "expired",
    "incomplete",
    "signature",
    "signature: rubbish of 16 KiB",
)


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_in_force_is_refused_and_both_are_reported(
    shop: Shop, name: str
) -> None:
    """The last good one stays, in the same processes; health names both by hash."""
    in_force = store_of(shop.config).load()
    before = shop.lasting()
    document = refused_document(shop, name)
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
    assert shop.lasting() == before


@pytest.mark.timeout(300)
def test_a_minute_carries_the_policy_that_it_was_counted_under(shop: Shop) -> None:
    """Until the change the old one, and from the next minute on the new one."""
    assert shop.changed_at > 0
    shop.until(lambda: shop.minutes(shop.in_force()), TWO_MINUTES_S)
    old, new = shop.minutes(shop.first), shop.minutes(shop.in_force())
    assert len(old) + len(new) == len(shop.on("interval"))
    assert old and max(each.start for each in old) <= shop.changed_at
    assert min(each.end for each in new) > shop.changed_at


def test_the_next_good_one_ends_the_report(shop: Shop) -> None:
    document = shop.signed(version=1000, purpose="good again")
    shop.push(document)
    assert shop.verdict_on(document).word == IN_FORCE

    def reported() -> bool:  # obeyed comes some time after decided
        health = shop.health()
        expected = ("none", shop.in_force())
        return health is not None and (health.policy_why, health.policy) == expected

    shop.until(reported)
    health = shop.health()
    assert health is not None and health.policy_refused is None


def test_another_signature_of_what_is_in_force_is_no_rollback(shop: Shop) -> None:
    in_force = canonical.split(shop.config.policy_in_force.read_bytes())[0]
    document = canonical.seal(in_force, shop.stage.controller)
    assert document != shop.config.policy_in_force.read_bytes()
    shop.push(document)
    assert shop.verdict_on(document).word == IN_FORCE


def test_a_policy_process_that_is_killed_is_asked_again(shop: Shop) -> None:
    """Between receive and decision; nothing of the document is lost."""
    document = shop.signed(version=1001, purpose="after a kill")
    digest = hashlib.sha256(document).hexdigest()
    shop.push(document)
    victim = shop.until(lambda: children_of(shop.process).get("policy"))
    os.kill(victim, signal.SIGKILL)
    said = read_verdict(shop.config.verdict)
    assert said is None or said.digest != digest
    assert shop.verdict_on(document).word == IN_FORCE


def test_what_arrived_before_a_power_cut_is_decided_at_the_next_start(
    tmp_path: Path,
) -> None:
    """The uplink had written it; the policy process never saw it."""
    with running(tmp_path) as first:
        document = first.signed(version=7, purpose="after the cut")
        first.until(lambda: first.obeyed() == {store_of(first.config).load().digest})
        cut_power(first.process)
        put(first.config.arrived, document)
        again = subprocess.Popen(first.process.args, stderr=subprocess.DEVNULL)
        try:
            new = canonical.digest(canonical.split(document)[0])
            first.until(lambda: first.obeyed() == {new})
            assert first.verdict_on(document).word == IN_FORCE
        finally:
            again.terminate()
            again.wait(WITHIN_S)
