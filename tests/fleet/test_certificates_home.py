"""From a card that is pulled to a certificate that the office verified.

The vault and the uplink are the real processes, confined; so are pcscd, the broker and
its mutual TLS. Reader and card alone are software.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from limits import END_S, wait_until
from vault_process import VaultProcess

from doorsill.certificates.compact import Known
from doorsill.channels.tray import read_tray
from doorsill.wire.messages import topic
from doorsill_fleet.audit.chain import Audit, Trust, audit
from doorsill_fleet.audit.shelf import Shelf
from doorsill_fleet.broker.mosquitto import HOST, running_broker
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.stage.consent import PURPOSE
from doorsill_fleet.stage.shop import DEVICE, READER, SITE
from doorsill_fleet.store.windows import Kept

# The process as it is, but certificates go out at once and not by the half hour.
AT_ONCE = """
import sys
from doorsill.cli import main as cli
from doorsill.services import uplink_opening as service
from doorsill.uplink.pace import Pace
service.PACE = Pace(minute_s=0.0, state_s=0.0, state_rest_s=0.0, gauges_s=0.0)
sys.exit(cli.run(sys.argv[1:]))
"""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    with VaultProcess(tmp_path_factory.mktemp("v")) as made:
        yield made


@contextmanager
def uplink(site: VaultProcess) -> Iterator[Path]:
    """The uplink process of the same camera; gives its log."""
    log = site.folder / "uplink.log"
    (site.folder / "state/outbox").mkdir(parents=True, exist_ok=True)
    config = str(site.site.configuration)
    command = [sys.executable, "-c", AT_ONCE, "run", "--only", "uplink"]
    with log.open("ab") as out:
        child = subprocess.Popen(
            [*command, "--config", config], stdout=out, stderr=out, env={**os.environ}
        )
    try:
        yield log
    finally:
        child.terminate()
        child.wait(END_S)


class Office:
    """What the office has of its own, and what came home."""

    def __init__(self, site: VaultProcess) -> None:
        self.shelf, self.messages = Shelf(site.folder / "home"), 0
        pem = (site.folder / f"{DEVICE}.pem").read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(
            serialization.Encoding.DER
        )
        signers = {hashlib.sha256(der).hexdigest(): der}
        self.trust = Trust(site.ca, Known(signers, (), [PURPOSE]))

    def take(self, name: str, payload: bytes) -> None:
        self.messages += name == topic(SITE, DEVICE, "certificate")

    def judge(self) -> Audit:
        return audit(DEVICE, self.shelf.of(SITE, DEVICE), self.trust)

    @contextmanager
    def listening(self, site: VaultProcess) -> Iterator[None]:
        folder = site.folder
        reader = Reader(
            READER,
            HOST,
            site.site.broker.port,
            folder / "broker/ca.pem",
            folder / f"{READER}.pem",
            folder / f"{READER}.key",
        )
        subscriber = Subscriber(reader, Counted(), self.take)
        subscriber.shelf = self.shelf
        subscriber.start()
        try:
            assert subscriber.ready.wait(20)
            yield
        finally:
            subscriber.stop()


class Counted:
    """A store that keeps no rows: the shelf alone is looked at."""

    site = SITE

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> Kept:
        return Kept(new=len(list(messages)))


def _until(done: Callable[[], object], log: Path) -> None:
    wait_until(done, lambda: log.read_text()[-3000:], 40)


def test_each_blanking_comes_home_and_is_verified(site: VaultProcess) -> None:
    """A start, a card that is pulled, a stop: three certificates, none missing."""
    office = Office(site)
    with running_broker(site.site.broker), office.listening(site):
        site.start()
        with uplink(site) as log:
            site.stage.insert()
            site.until_open()
            site.fill(3)
            site.stage.pull()
            site.until_blank()
            _until(lambda: len(office.judge().verified) >= 2, log)
            site.stop()
            _until(lambda: len(office.judge().verified) >= 3, log)
    found = office.judge()
    assert found.is_whole, found.sentences()
    assert [each.body["reason"] for each in found.verified] == [
        "start",
        "removed",
        "shutdown",
    ]
    assert found.verified[1].body["leases"][0]["sealed"] >= 3
    assert [e.sha256 for e in found.verified] == [e.sha256 for e in site.chain()]


def test_the_outbox_keeps_them_while_the_broker_is_down(site: VaultProcess) -> None:
    """And an uplink that starts again sends none twice."""
    office = Office(site)
    site.start()
    with uplink(site):
        site.stage.insert()
        site.until_open()
        site.stage.pull()
        site.until_blank()
        site.until(lambda: len(read_tray(site.config.tray)) == 2)
    site.stop()
    with running_broker(site.site.broker), office.listening(site):
        with uplink(site) as log:
            _until(lambda: len(office.judge().verified) >= 3, log)
        with uplink(site) as log:
            _until(lambda: "connected to the broker" in log.read_text()[-400:], log)
    assert office.judge().is_whole, office.judge().sentences()
    assert office.messages == 3
