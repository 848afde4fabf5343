"""A shop in the tree: the shipped example configuration, filled in as a store would.

Broker, certificates, policy and card are the real ones, made again; mosquitto and pcscd
run there as Debian's own units, with a virtual reader (vpcd).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from broker import Listener
from by_air import publishing

from doorsill.documents import canonical
from doorsill.drivers.camera.clip import street_truth
from doorsill.drivers.token.pcscd import PrivatePcscd, VirtualSlot
from doorsill.uplink.tls import Address
from doorsill_fleet.broker.access import whole_list
from doorsill_fleet.broker.mosquitto import HOST, configuration
from doorsill_fleet.ca.authority import OFFICE
from doorsill_fleet.stage.consent import ConsentStage
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage

from .listening import Listening
from .machine import until

PORT = 8883
VPCD_PORT = 35963  # of Debian's vsmartcard-vpcd
BROKER = Path("/etc/mosquitto/doorsill")  # as the machine sees it
EXAMPLE = Path("usr/share/doc/doorsill/examples/doorsill.toml")
VALUES = {
    "id": f'"{DEVICE}"',
    "site": f'"{SITE}"',
    "driver": '"street"',
    "host": f'"{HOST}"',
    "port": str(PORT),
}


class Shop(Listening):
    """All in ``/etc`` of the tree ``root``, a card, and a reader at the broker."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.etc = root / "etc/doorsill"
        self._work = root.parent / "shop"
        self.consent = ConsentStage(self._work, SITE)
        line = street_truth()["line"]
        lines = ((tuple(line[:2]), tuple(line[2:])),)
        self.stage = Stage(self._work, lines, consent=self.consent.policy)
        vpcd = cast(PrivatePcscd, SimpleNamespace(port=VPCD_PORT))
        self._slot = VirtualSlot(vpcd)

    def furnish(self) -> None:
        """Write all files, with the owners and modes that the README asks for."""
        self.stage.set()
        put = {
            "policy.json": "policy.json",
            "controller.key.pub": "controller.pem",
            "ca.pem": "broker/ca.pem",
            "device.crt": f"{DEVICE}.pem",
            "device.key": f"{DEVICE}.key",
        }
        for name, made in put.items():
            (self.etc / name).write_bytes((self._work / made).read_bytes())
            (self.etc / name).chmod(0o600 if name == "device.key" else 0o644)
        (self.etc / "consent-ca.pem").write_bytes(self.consent.ca_pem)
        self.configure(self.example())
        self._furnish_broker()

    def example(self) -> str:
        """The shipped example with this shop's values and its [consent] switched on."""
        text = (self.root / EXAMPLE).read_text()
        for key, value in VALUES.items():
            text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text, count=1)
        text = re.sub(r"(?m)^# (\[consent\])", r"\1", text)
        text = re.sub(r'# reader = "[^"]*"', 'reader = "Virtual PCD"', text)
        return text.replace("# ca = ", "ca = ")

    def configure(self, text: str, root: Path | None = None) -> None:
        """Another configuration; ``root`` is that of the running system."""
        path = (root or self.root) / "etc/doorsill/doorsill.toml"
        path.write_text(text)
        path.chmod(0o644)

    def _furnish_broker(self) -> None:
        folder = self.root / str(BROKER).lstrip("/")
        folder.mkdir(parents=True)
        for each in (self._work / "broker").iterdir():
            if each.suffix in (".pem", ".key"):
                (folder / each.name).write_bytes(each.read_bytes())
        access = whole_list({SITE: (DEVICE,)}, (READER,))
        (folder / "access").write_text(access)
        (folder / "access").chmod(0o600)
        text = configuration(BROKER, PORT)
        (self.root / "etc/mosquitto/mosquitto.conf").write_text(text)

    def push(self, document: bytes) -> None:
        """Publish a policy to the camera, as the office does."""
        now = datetime.now(UTC)
        made = self.stage.authority.issue_own(OFFICE, (), now)
        pem, key = made.write(self._work, "office")
        own = Address(OFFICE, HOST, PORT, self._work / "broker/ca.pem", pem, key)
        with publishing(SITE, own) as office:
            office.push(DEVICE, document)

    def sign(self, **changes: Any) -> bytes:
        """The policy with other values, signed by the camera's controller."""
        return canonical.seal(self.stage.policy_body() | changes, self.stage.controller)

    def listen(self) -> None:
        """A new reader at the broker."""
        self.stop_listening()
        names = [self._work / each for each in (f"{READER}.pem", f"{READER}.key")]
        address = Address(READER, HOST, PORT, self._work / "broker/ca.pem", *names)
        self.listener = Listener(address, f"doorsill/{SITE}/#")

    def until_state(self, state: str, within_s: float) -> float:
        """Wait for it; the seconds it took."""
        began = time.monotonic()
        until(lambda: self.state() == state, within_s, f"state {state}: {self.state()}")
        return time.monotonic() - began

    def until_interval(
        self, good: Callable[[dict[str, Any]], bool], within_s: float
    ) -> dict[str, Any]:
        """The first ``interval`` from now on, or before, that is ``good``."""

        def found() -> dict[str, Any] | None:
            return next(filter(good, self.heard("interval")), None)

        return cast(dict[str, Any], until(found, within_s, "no such interval"))

    def insert(self) -> None:
        """Put the card in."""
        self._slot.insert(self.consent.card)

    def pull(self) -> None:
        """Pull it out."""
        self._slot.remove()
