"""An office under systemd: nobody is there after a reboot, and all of it comes up.

`doorsill-fleet serve` with a passphrase that is sealed to the machine, its mosquitto,
`receive` beside it; and Debian's own mosquitto, as a shop's, with `broker follow`.
"""

from __future__ import annotations

import base64
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs7
from fleets import new_key, request
from limits import END_S

from doorsill.documents.voucher import read_voucher
from doorsill_fleet.broker.follow import verify
from doorsill_fleet.broker.mosquitto import free_port
from doorsill_fleet.enrolment.app import EST
from doorsill_fleet.office.chain import Chain, Places, make_chain

from .machine import Machine, until
from .shop import Shop
from .test_units import READY_S

BROKER = "etc/mosquitto"  # of Debian's package
HOME, USER = "/var/lib/doorsill-fleet", "doorsill-fleet"
PROGRAM = "/opt/doorsill/bin/doorsill-fleet"
OFFICE, RECEIVE, FOLLOW = (
    f"doorsill-fleet{each}.service" for each in ("", "-receive", "-follow")
)
CREDENTIAL = "issuing.passphrase"
SEALED = f"/etc/credstore.encrypted/{CREDENTIAL}"
SITE, WORDS = "porto-1", b"a passphrase that nobody types"
REVOKED_S = 60.0  # which the product promises


@dataclass
class Office:
    """The machine, and the chain in it."""

    machine: Machine
    port: int
    broker_port: int
    enrolled: tuple[str, int] = ("", 0)

    @property
    def chain(self) -> Chain:
        """As seen from here."""
        places = Places(
            ("localhost",), self.port, "localhost", self.broker_port, local=True
        )
        return Chain(self.inside("chain"), places)

    def found(self) -> None:
        """Make the chain, whose issuing key wants a passphrase; its user's."""
        make_chain(self.chain.folder, self.chain.places, datetime.now(UTC),
                   lambda name: WORDS if name == "issuing" else b"")  # fmt: skip
        self.inside("typed").mkdir()
        (self.inside("typed") / CREDENTIAL).write_bytes(WORDS)
        self.machine.run("chown", "-R", f"{USER}:{USER}", HOME)

    def seal(self) -> None:
        """The passphrase, as `init` says."""
        folder = SEALED.rpartition("/")[0]
        seal = f"systemd-creds encrypt --name={CREDENTIAL} - {SEALED}"
        shell = f"mkdir -p {folder} && printf '%s\\n' '{WORDS.decode()}' | {seal}"
        said = self.machine.run("sh", "-c", shell)
        assert self.machine.inside(SEALED.lstrip("/")).exists(), said

    def does(self, *words: str) -> str:
        """What a command of the office says, as its user and in its folder.

        Where a person would type the passphrase it comes as systemd hands it over.
        """
        given = ["env", f"CREDENTIALS_DIRECTORY={HOME}/typed"]
        command = ["runuser", "-u", USER, "--", *given, PROGRAM, *words]
        shell = f'cd {HOME} && exec "$@"'
        return self.machine.run("sh", "-c", shell, "sh", *command, "--folder", "chain")

    def enrol(self) -> tuple[str, int]:
        """A camera of a voucher in HOME: its serial, and its certificate's number."""
        table = self.inside("vouchers.csv").read_text()
        voucher = read_voucher(table.splitlines()[1].rpartition(",")[2])
        pair = f"{voucher.serial}:{voucher.secret}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        body = request(voucher.serial, new_key())
        status, answer = self.asks("POST", f"{EST}/simpleenroll", body, headers)
        assert status == 200, answer
        (made,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))
        return voucher.serial, made.serial_number

    def inside(self, name: str) -> Path:
        """What lies in HOME, as seen from here."""
        return self.machine.inside(f"{HOME}/{name}".lstrip("/"))

    def asks(
        self,
        verb: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """One request to `serve`, as a camera makes it."""
        context = ssl.create_default_context(cafile=str(self.chain.folder / "ca.pem"))
        line = HTTPSConnection("localhost", self.port, timeout=END_S, context=context)
        try:
            line.request(verb, path, body, headers or {})
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def is_up(self) -> bool:
        """Whether `serve` answers."""
        try:
            return self.asks("GET", f"{EST}/cacerts")[0] == 200
        except OSError:
            return False

    def journal(self, unit: str) -> str:
        return self.machine.journal("-u", unit, "-n", "20", "-o", "cat")

    def view(self, unit: str) -> Path:
        """The root folder of a unit's process, as it sees it."""
        there = int(self.machine.systemctl("show", "--value", "-p", "MainPID", unit))
        here = {inside: pid for pid, inside in self.machine.processes()}
        return Path(f"/proc/{here[there]}/root")

    def started(self, unit: str) -> int:
        """When its process began, monotonic us."""
        name = "ExecMainStartTimestampMonotonic"
        return int(self.machine.systemctl("show", "--value", "-p", name, unit) or 0)

    def active(self, unit: str) -> bool:
        return self.machine.systemctl("is-active", unit) == "active"


@pytest.fixture(scope="module")
def office(
    machine: Machine, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """The machine as an office; Debian's mosquitto is the shop's again afterwards."""
    shop.stop_listening()
    before = tmp_path_factory.mktemp("etc") / "mosquitto"
    machine.systemctl("disable", "--now", "mosquitto.service")
    shutil.copytree(machine.inside(BROKER), before)
    found = Office(machine, free_port(), free_port())
    found.found()
    try:
        yield found
    finally:
        machine.systemctl("disable", "--now", OFFICE, RECEIVE, FOLLOW)
        machine.systemctl("stop", "mosquitto.service")
        shutil.rmtree(machine.inside(BROKER))
        shutil.copytree(before, machine.inside(BROKER))
        machine.systemctl("enable", "--now", "mosquitto.service")
        shop.listen()


def test_without_its_passphrase_it_says_so_and_is_not_tried_for_ever(
    office: Office,
) -> None:
    office.machine.systemctl("start", OFFICE)
    until(
        lambda: office.machine.systemctl("is-active", OFFICE) == "failed",
        READY_S,
        lambda: office.journal(OFFICE),
    )
    said = office.journal(OFFICE)
    assert "passphrase of" in said and "is wanted" in said and "Traceback" not in said


def test_after_a_reboot_all_of_it_comes_up_and_no_hand_is_there(office: Office) -> None:
    office.seal()
    office.machine.systemctl("enable", OFFICE, RECEIVE)
    office.machine.off()
    office.machine.boot()
    until(office.is_up, READY_S, lambda: office.journal(OFFICE))
    store = office.inside("visitors.db")
    until(
        lambda: "connected to the broker" in office.journal(RECEIVE) and store.exists(),
        READY_S,
        lambda: office.journal(RECEIVE),
    )
    assert office.active(OFFICE) and office.active(RECEIVE)


def test_a_command_of_the_office_works_beside_it_and_root_is_sent_away(
    office: Office,
) -> None:
    assert f"added {SITE}" in office.does("site", "add", SITE)
    assert "the broker lets them in" in office.does("device", "add", "--site", SITE)
    office.enrolled = office.enrol()
    assert "active, certificate until" in office.does("devices")
    refused = office.machine.run(PROGRAM, "devices", "--folder", f"{HOME}/chain")
    assert f"runuser -u {USER}" in refused


def test_what_parses_messages_sees_no_key_of_the_chain(office: Office) -> None:
    view = {unit: office.view(unit) for unit in (OFFICE, RECEIVE)}
    chain = f"{HOME}/chain".lstrip("/")
    assert (view[OFFICE] / chain / "issuing.key").exists()  # the control
    assert not (view[RECEIVE] / chain / "issuing.key").exists()
    assert not (view[RECEIVE] / "run/credentials" / OFFICE).exists()
    for each in view.values():
        assert not (each / "run/systemd/private").exists()


def test_a_camera_that_is_revoked_is_on_the_list_of_a_shops_own_broker_in_time(
    office: Office,
) -> None:
    machine, port = office.machine, str(free_port())
    there = ["--host", "localhost", "--port", port, "--out", "shop"]
    assert "made shop" in office.does("broker", "bridge", SITE, *there)
    machine.run("install", "-d", "/etc/doorsill-fleet")
    machine.run("cp", "-rT", f"{HOME}/shop", "/etc/doorsill-fleet/broker")
    machine.systemctl("start", "mosquitto.service")
    own = "/etc/doorsill-fleet/broker"
    assert "mosquitto: restarted" in machine.run(PROGRAM, "broker", "install", own)
    machine.systemctl("start", FOLLOW)
    listed = machine.inside("etc/mosquitto/doorsill/revoked.pem")
    until(listed.exists, READY_S, lambda: office.journal(FOLLOW))
    before = office.started("mosquitto.service")
    serial, number = office.enrolled
    assert f"revoked {serial}" in office.does("device", "revoke", serial)
    until(
        lambda: number in verify(listed.read_bytes(), office.chain.issuing),
        REVOKED_S,
        lambda: office.journal(FOLLOW),
    )
    until(
        lambda: (
            office.started("mosquitto.service") > before and office.active("mosquitto")
        ),
        READY_S,
        lambda: office.journal(FOLLOW) + office.journal("mosquitto"),
    )
