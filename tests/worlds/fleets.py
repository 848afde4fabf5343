"""A chain of shops with its HTTPS server, and what a camera or a stranger sends."""

from __future__ import annotations

import base64
import http.client
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from broker import FAST, Device, device
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from limits import END_S, PROGRAM_S, wait_until
from policies import BODY
from sqlalchemy import Engine

from doorsill.cli import main
from doorsill.config import load_config
from doorsill.documents import canonical, pem
from doorsill.documents.durable import put
from doorsill.documents.voucher import Voucher, root_mark
from doorsill.uplink.tls import Address
from doorsill_fleet.broker.members import write_access
from doorsill_fleet.broker.mosquitto import free_port
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.enrolment.app import Desk
from doorsill_fleet.enrolment.service import Enrolment
from doorsill_fleet.enrolment.serving import server
from doorsill_fleet.office.chain import Chain, Places, make_chain
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.register import open_register, transaction

SITE = "shop-1"
VALID = timedelta(days=30)
EST = "/.well-known/est"


@dataclass
class FleetWorld:
    """A chain with one shop; its server is started with :meth:`serving`."""

    chain: Chain
    register: Engine
    authority: Authority

    @property
    def enrolment(self) -> Enrolment:
        return Enrolment(self.chain, self.register, self.authority)

    def add(self, count: int = 1, site: str = SITE) -> list[HandedOut]:
        with transaction(self.register) as session:
            now = datetime.now(UTC)
            made = devices.add_devices(session, site, count, now, VALID)
            session.flush()
            write_access(self.chain, session)
        return made

    def voucher(self, made: HandedOut) -> Voucher:
        der = self.chain.root.public_bytes(serialization.Encoding.DER)
        port = self.chain.places.port
        return Voucher("localhost", port, made.serial, made.secret, root_mark(der))

    def sign_policy(self, site: str = SITE, **changed: Any) -> None:
        body = {**BODY, "site": site, **changed}
        key = pem.read_key(self.chain.folder / "safe" / "controller.key")
        path = self.chain.folder / "policies" / f"{site}.json"
        put(path, canonical.seal(body, key))

    @contextmanager
    def serving(self) -> Iterator[Desk]:
        """The HTTPS server in a thread of this process."""
        desk = Desk(self.enrolment)
        port = self.chain.places.port
        made = server(desk.app(), self.chain.folder, "127.0.0.1", port)
        thread = threading.Thread(target=made.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: made.started)
            yield desk
        finally:
            made.should_exit = True
            thread.join(END_S)
            assert not thread.is_alive()

    @contextmanager
    def serving_apart(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """`doorsill-fleet serve`, a process; what it says is added to ``log``."""
        own = ["--folder", str(self.chain.folder), "--listen", "127.0.0.1"]
        words = [sys.executable, "-m", "doorsill_fleet.cli.main", "serve", *own]
        begins = log.stat().st_size if log.exists() else 0
        with log.open("ab") as said:
            child = subprocess.Popen(words, stdout=said, stderr=said)
        try:
            wait_until(
                lambda: b"cameras enrol at" in log.read_bytes()[begins:],
                lambda: log.read_text(),
                PROGRAM_S,
            )
            yield child
        finally:
            child.terminate()
            child.wait(END_S)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Any = None
    ) -> tuple[int, bytes]:
        """One request of anybody: status and body."""
        context = ssl.create_default_context(cafile=str(self.chain.folder / "ca.pem"))
        connection = http.client.HTTPSConnection(
            "localhost", self.chain.places.port, timeout=END_S, context=context
        )
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def enrol(self, serial: str, secret: str, body: bytes) -> tuple[int, str]:
        """Status, and the sentence or certificates."""
        status, said = self.ask(
            "POST", f"{EST}/simpleenroll", body, basic(serial, secret)
        )
        return status, said.decode("ascii")


def make_world(folder: Path) -> FleetWorld:
    """A chain in ``folder``, with a policy for its shop."""
    places = Places(("localhost", "127.0.0.1"), free_port(), "localhost", free_port())
    chain = make_chain(folder / "fleet", places, datetime.now(UTC), lambda _: b"")
    register = open_register(chain.folder)
    key = pem.read_key(chain.folder / "issuing.key")
    world = FleetWorld(chain, register, Authority(chain.issuing, key))
    with transaction(register) as session:
        devices.add_site(session, SITE, datetime.now(UTC), approves=False)
    world.sign_policy(attributes=False)
    return world


@contextmanager
def fleet_world(folder: Path) -> Iterator[FleetWorld]:
    """As :func:`make_world`, and its register is closed at the end."""
    folder.mkdir(exist_ok=True)
    world = make_world(folder)
    try:
        yield world
    finally:
        world.register.dispose()


def basic(serial: str, secret: str) -> dict[str, str]:
    """The header of HTTP Basic."""
    words = base64.b64encode(f"{serial}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {words}"}


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request(name: str, key: Any, *extensions: x509.ExtensionType) -> bytes:
    """A certificate request as EST carries it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for each in extensions:
        builder = builder.add_extension(each, critical=False)
    made = builder.sign(key, hashes.SHA256())
    return base64.encodebytes(made.public_bytes(serialization.Encoding.DER))


def address_in(folder: Path) -> Address:
    """As `doorsill run` reads it from what `doorsill enrol` wrote."""
    config = load_config(folder / "doorsill.toml")
    own = config.broker
    return Address(
        config.device.id, own.host, own.port, own.ca, own.certificate, own.key, SITE
    )


def enrolled(fleet: FleetWorld, folder: Path, voucher: str) -> Device:
    given = folder.with_suffix(".txt")
    given.write_text(voucher)
    words = ["--voucher", str(given), "--to", str(folder), "--camera", "street"]
    with fleet.serving():
        assert main.run(["enrol", *words]) == 0
    return device(address_in(folder), FAST)
