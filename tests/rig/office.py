"""The office of a chain of shops on this machine, as its staff would run it.

    doorsill-fleet init ─► site add ─► policy ─► device add      once
    doorsill-fleet serve (with mosquitto), receive               beside the tests

All of it are the real programs with real files, on free ports of loopback; a guest
reaches them as 10.0.2.2. What cameras say is also heard here, with the time.
"""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker import Listener
from by_air import publishing
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from limits import END_S, PROGRAM_S, wait_until

from doorsill.documents import canonical, pem
from doorsill.documents.durable import put
from doorsill.documents.voucher import read_voucher
from doorsill.drivers.camera.clip import street_truth
from doorsill.drivers.token.piv_card import PRESENCE, SEALING
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.office import cards
from doorsill.policy import document
from doorsill.uplink.tls import Address
from doorsill_fleet.cli.main import run
from doorsill_fleet.office.chain import Chain, open_chain

from .clock import serving

SITE, PURPOSE = "shop-1", "validation"
LISTENS = "127.0.0.1"
FLEET_PORT, BROKER_PORT = 8443, 8883  # the usual ones
READY_S = 60.0
READY = {"serve": "cameras enrol at", "receive": "connected to the broker"}
MODULE = "doorsill_fleet.cli.main"


@dataclass
class Heard:
    """One message of a camera, and when it came: s after the clock's 1970."""

    device: str
    stream: str
    body: dict[str, Any]
    at: float


@dataclass
class Office:
    """The folder of the chain, its services and what it heard; ``host`` is ours."""

    folder: Path
    host: str
    heard: list[Heard] = field(default_factory=list)
    chain: Chain = field(init=False)
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def fleet(self) -> Path:
        """The folder of the chain."""
        return self.folder / "fleet"

    def found(self) -> None:
        """Make the chain, its shop and a policy with the street's line and consent."""
        ports = ["--port", str(FLEET_PORT), "--broker-port", str(BROKER_PORT)]
        hosts = ["--host", self.host, "--host", "localhost"]
        self.command("init", *hosts, *ports, "--no-passphrase")
        self.command("site", "add", SITE)
        self.chain = open_chain(self.fleet)
        path = self.fleet / "policies" / f"{SITE}.json"
        put(path, self.sign(version=1))

    def command(self, *words: str) -> None:
        """One command of the staff's; it must succeed."""
        assert run([*words, "--folder", str(self.fleet)]) == 0, words

    def sign(self, **changes: Any) -> bytes:
        """The shop's policy with other values, signed by the controller."""
        key = pem.read_key(self.fleet / "safe" / "controller.key")
        return canonical.seal({**self._body(), **changes}, key)

    def _body(self) -> dict[str, Any]:
        line = street_truth()["line"]
        ca = pem.read_certificate(self.fleet / "safe" / "consent-ca.pem")
        return {
            "format": document.FORMAT,
            "site": SITE,
            "purpose": "count visitors",
            "controller": "hil",
            "timezone": "UTC",
            "attributes": False,
            "k": 10,
            "epsilon_per_day": 1.0,
            "live_seconds": 2,
            "lines": [{"id": "door", "points": [line[:2], line[2:]]}],
            "consent": {
                "purposes": [PURPOSE],
                "ca": ca.fingerprint(hashes.SHA256()).hex(),
                "revoked": [],
                "max_seconds": 600,
                "max_bytes": 4 << 20,
                "max_crops": 500,
            },
        }

    def voucher(self) -> tuple[str, str, str]:
        """A new camera's serial number, its name and its voucher."""
        out = self.folder / f"labels-{time.monotonic_ns()}"
        self.command("device", "add", "--site", SITE, "--out", str(out))
        with out.with_suffix(".csv").open() as file:
            row = next(csv.DictReader(file))
        return row["serial"], row["device"], row["voucher"]

    def use(self, voucher: str) -> None:
        """Another machine, here, enrols with it: whose label was seen by somebody."""
        path = self.folder / "used.txt"
        path.write_text(replace(read_voucher(voucher), host="localhost").text() + "\n")
        words = [sys.executable, "-m", "doorsill", "enrol", "--voucher", str(path)]
        words += ["--to", str(self.folder / "other"), "--camera", "street"]
        subprocess.run(words, check=True, timeout=PROGRAM_S, stdout=subprocess.DEVNULL)

    def card(self) -> VirtualCard:
        """A consent card of this office, as ``doorsill consent issue`` leaves it."""
        safe = self.fleet / "safe"
        ca = pem.read_certificate(safe / "consent-ca.pem")
        key = pem.read_key(safe / "consent-ca.key")
        since = datetime.now(UTC).timestamp() - 1800
        granted = cards.Grant("Ana", SITE, PURPOSE, since, 30)
        made = VirtualCard(t0=True)
        for slot, certify in ((PRESENCE, cards.card), (SEALING, cards.sealing)):
            own = ec.generate_private_key(ec.SECP256R1())
            made.load(slot, own, cards.der(certify(ca, key, own.public_key(), granted)))
        return made

    def open(self) -> None:
        """Start `serve` with its broker, and listen."""
        self._running.enter_context(self._beside("serve", "--listen", LISTENS))
        own = self.fleet / "reader-store"
        address = Address(
            "reader-store", "localhost", self.chain.places.broker_port,
            self.fleet / "ca.pem", own.with_suffix(".pem"), own.with_suffix(".key"),
        )  # fmt: skip
        with contextlib.suppress(PermissionError):
            self._running.enter_context(serving())
        listener = Listener(address, f"doorsill/{SITE}/#", self._hear)
        self._running.callback(listener.close)

    def close(self) -> None:
        """Everything has ended."""
        self._running.close()

    def push(self, device: str, document: bytes) -> None:
        """Publish a policy, as `policy push` does."""
        own = self.fleet / "office"
        address = Address(
            "office", "localhost", self.chain.places.broker_port,
            self.fleet / "ca.pem", own.with_suffix(".pem"), own.with_suffix(".key"),
        )  # fmt: skip
        with publishing(SITE, address) as office:
            office.push(device, document)

    def last(self, stream: str, device: str, after: float) -> dict[str, Any] | None:
        """The newest of a stream of ``device`` that came after ``after``."""
        for each in reversed(self.heard):
            if (each.stream, each.device) == (stream, device) and each.at > after:
                return each.body
        return None

    def _hear(self, _: object, __: object, message: Any) -> None:
        _, _, device, stream = message.topic.split("/", 3)
        with contextlib.suppress(ValueError):
            body = json.loads(message.payload)
            self.heard.append(Heard(device, stream, body, time.time()))

    @contextlib.contextmanager
    def _beside(self, command: str, *words: str) -> Iterator[None]:
        log = self.folder / f"{command}.log"
        line = [sys.executable, "-u", "-m", MODULE, command, *words]
        with log.open("wb") as said:
            child = subprocess.Popen(
                [*line, "--folder", str(self.fleet)], stdout=said, stderr=said
            )
        try:
            wait_until(
                lambda: READY[command] in log.read_text(), log.read_text, READY_S
            )
            yield
        finally:
            child.terminate()
            child.wait(END_S)
