"""The same machine, enrolled by a fleet: `doorsill-fleet serve` is beside it.

The camera gets its files by a voucher, in an empty folder; what the machine had there
is put back at the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from broker import Listener
from fleets import SITE, VALID, FleetWorld, fleet_world, new_key, request

from doorsill.documents import pem
from doorsill.documents.durable import FOR_ALL, OWNER_ALONE, put
from doorsill.uplink.tls import Address
from doorsill_fleet.broker.local import obeys
from doorsill_fleet.ca.authority import pem_of, pem_of_key, reader_name
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.register import transaction

from .listening import Listening
from .machine import Machine, until

PROGRAM = "/opt/doorsill/bin/doorsill"
ETC, STATE = "etc/doorsill", "var/lib/doorsill"
OWN = ("policy", "outbox", "vault", "arrived")  # folders of STATE
OBEYS_S = 20.0  # until the broker lets a new camera in; `device add` waits as well
DUE_DAYS = 300  # age of a certificate that is past two thirds of its life


@dataclass
class FleetShop(Listening):
    """What stands beside the machine, and what is done to its files."""

    machine: Machine
    world: FleetWorld
    work: Path
    serial: str = ""
    _server: ExitStack = field(default_factory=ExitStack)

    @property
    def etc(self) -> Path:
        """The camera's folder, in the running system."""
        return self.machine.inside(ETC)

    def serve(self) -> None:
        """Start the fleet's server, which runs the broker."""
        log = self.work / "serve.log"
        self._server.enter_context(self.world.serving_apart(log))

    def close_office(self) -> None:
        """Stop it."""
        self._server.close()

    def enrol(self) -> str:
        """With a voucher, in an empty folder; what the command says."""
        made = self.world.add()[0]
        self.serial = made.serial
        broker = self.world.chain.broker
        until(lambda: obeys(broker), OBEYS_S, "the broker does not let it in")
        voucher = self.machine.inside("root/voucher.txt")
        voucher.write_text(self.world.voucher(made).text())
        words = ["--voucher", "/root/voucher.txt", "--to", f"/{ETC}"]
        return self.machine.run(PROGRAM, "enrol", *words, "--camera", "street")

    def old_pair(self, days: float = DUE_DAYS) -> tuple[bytes, bytes]:
        """Key and certificate, PEM, as this camera would have got them long ago."""
        now, key = datetime.now(UTC), new_key()
        with transaction(self.world.register) as session:
            device = devices.require_device(session, self.serial)
            made = devices.hand_out(session, device, now, VALID)
        body, then = request(self.serial, key), now - timedelta(days=days)
        found = self.world.enrolment.enrol(self.serial, made.secret, body, then)
        assert found is not None
        return pem_of_key(key), pem_of(found) + pem_of(self.world.chain.issuing)

    def put_pair(self, key: bytes, certificate: bytes, folder: str = "") -> None:
        """In place, or in a folder below; in the order in which the product does it."""
        put(self.etc / folder / pem.KEY_NAME, key, OWNER_ALONE)
        put(self.etc / folder / pem.CERTIFICATE_NAME, certificate, FOR_ALL)

    def pair(self) -> tuple[bytes, bytes]:
        """What lies in place."""
        key, certificate = self.etc / pem.KEY_NAME, self.etc / pem.CERTIFICATE_NAME
        return key.read_bytes(), certificate.read_bytes()

    def key_of(self, service: str) -> bytes:
        """The copy of the key that a running service has of systemd."""
        unit = f"doorsill-{service}.service"
        view = Path(f"/proc/{self.machine.pid(service)}/root")
        return (view / "run/credentials" / unit / pem.KEY_NAME).read_bytes()

    def listen(self) -> None:
        """A reader at the fleet's broker."""
        folder, places = self.world.chain.folder, self.world.chain.places
        names = [folder / f"reader-store.{each}" for each in ("pem", "key")]
        own = Address(
            reader_name("store"), places.broker, places.broker_port,
            folder / "ca.pem", *names,
        )  # fmt: skip
        self.listener = Listener(own, f"doorsill/{SITE}/#")


@contextmanager
def fleet_shop(machine: Machine, work: Path) -> Iterator[FleetShop]:
    """The machine with nothing of its shop, whose files are back when this is left."""
    machine.systemctl("stop", "doorsill.target")
    etc, before = machine.inside(ETC), work / "before"
    shutil.copytree(etc, before)
    aside = [ETC, *(f"{STATE}/{each}" for each in OWN)]
    _empty(machine, *aside)
    with fleet_world(work / "world") as world:
        world.sign_policy(attributes=False, hours=[], holidays=[])  # always open
        settings = world.chain.folder / "fleet.toml"
        text = settings.read_text().replace("local = false", "local = true")
        settings.write_text(text)
        found = FleetShop(machine, world, work)
        try:
            yield found
        finally:
            found.stop_listening()
            machine.systemctl("stop", "doorsill.target", "doorsill-renew.service")
            found.close_office()
            _empty(machine, *aside)
            shutil.copytree(before, etc, dirs_exist_ok=True)


def _empty(machine: Machine, *folders: str) -> None:
    """Leave the folders, with their owners, and nothing in them."""
    there = " ".join(f"/{each}" for each in folders)
    machine.run("sh", "-c", f"find {there} -mindepth 1 -delete")
