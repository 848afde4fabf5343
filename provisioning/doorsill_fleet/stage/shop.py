"""A whole shop in one folder: authority, broker, device, signed policy, configuration.

For the demo and for tests: everything is newly made, on loopback and in the given
folder, and is thrown away afterwards. The pieces are the real ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.config import Config, load_config
from doorsill.documents import canonical
from doorsill.policy import document
from doorsill_fleet.broker.mosquitto import HOST, Broker
from doorsill_fleet.ca.authority import Authority

SITE, DEVICE, READER = "demo-street", "cam-01", "store"
Point = tuple[float, float]
CONFIGURATION = """\
[device]
id = "{device}"
site = "{site}"
state = "state"
run = "run"

[camera]
driver = "{driver}"
source = "{source}"

[model]
detector = "{detector}"

[policy]
file = "policy.json"
controller_key = "controller.pem"

[broker]
host = "{host}"
port = {port}
ca = "broker/ca.pem"
certificate = "{device}.pem"
key = "{device}.key"
{more}"""


@dataclass(slots=True)
class Stage:
    """What is in ``folder`` after :meth:`set`."""

    folder: Path
    lines: Sequence[Sequence[Point]]
    driver: str = "street"
    source: str = "loop"
    detector: str = "detector"
    consent: dict[str, Any] | None = None  # consent part of the policy, for a vault
    more: str = ""  # further sections of the configuration
    authority: Authority = field(init=False)
    broker: Broker = field(init=False)
    controller: ec.EllipticCurvePrivateKey = field(init=False, repr=False)

    @property
    def configuration(self) -> Path:
        """The device's TOML file."""
        return self.folder / "doorsill.toml"

    def set(self) -> Config:
        """Make all files; nothing is started."""
        now = datetime.now(UTC)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority.create("doorsill demo", now)
        broker = self.folder / "broker"
        self.broker = Broker(broker, self.authority, SITE, (READER,), (DEVICE,))
        self.broker.prepare()
        self.authority.issue_device(SITE, DEVICE, now).write(self.folder, DEVICE)
        self.authority.issue_reader(READER, now).write(self.folder, READER)
        self._sign_policy()
        self.configuration.write_text(self._configuration(), encoding="utf-8")
        return load_config(self.configuration)

    def policy_body(self) -> dict[str, Any]:
        """The policy that the controller signs: it counts at the lines, and no more."""
        body: dict[str, Any] = {
            "format": document.FORMAT,
            "version": 1,
            "site": SITE,
            "purpose": "show what doorsill does",
            "controller": "the person who runs the demo",
            "timezone": "UTC",
            "attributes": False,
            "k": 10,
            "epsilon_per_day": 1.0,
            "live_seconds": 2,  # often, so that the demo has something to show
            "lines": [
                {"id": f"door-{number}", "points": [list(point) for point in line]}
                for number, line in enumerate(self.lines, 1)
            ],
        }
        return body if self.consent is None else body | {"consent": self.consent}

    def _sign_policy(self) -> None:
        self.controller = ec.generate_private_key(ec.SECP256R1())
        signed = canonical.seal(self.policy_body(), self.controller)
        (self.folder / "policy.json").write_bytes(signed)
        public = self.controller.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / "controller.pem").write_bytes(public)

    def _configuration(self) -> str:
        text = CONFIGURATION.format(
            device=DEVICE,
            site=SITE,
            driver=self.driver,
            source=self.source.replace("\\", "\\\\").replace('"', '\\"'),
            detector=self.detector,
            host=HOST,
            port=self.broker.port,
            more=self.more,
        )
        tomllib.loads(text)  # raises for a source that breaks the file
        return text
