"""The end of a device: vault blank, certificate verified, key void, a signed record.

In the whole case the vault, the uplink and the policy process are the real ones, and so
are pcscd, the broker with its mutual TLS, `receive` and the office's commands; reader
and card alone are software.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fleets import SITE, FleetWorld, enrolled, fleet_world
from limits import END_S, wait_until

from doorsill.config import Config, load_config
from doorsill.documents import canonical
from doorsill.errors import ConfigError, UntrustedError
from doorsill.services.children import WIPING, prepare
from doorsill.services.deciding import Deciding
from doorsill_fleet.broker.local import running
from doorsill_fleet.cli.main import run
from doorsill_fleet.policies.draft import text_of
from doorsill_fleet.registry.devices import require_device
from doorsill_fleet.registry.register import transaction
from doorsill_fleet.registry.tables import RETIRED, RetirementRow
from doorsill_fleet.retirement import record
from doorsill_fleet.stage.consent import ConsentStage, status

LINE = {"id": "door", "points": [[0.022, 0.659], [0.978, 0.659]]}
SHARED: dict[str, Any] = {
    "version": 1, "site": SITE, "purpose": "count", "timezone": "UTC", "k": 10,
    "controller": "Example Stores, 1 Road", "attributes": False, "epsilon_per_day": 1.0,
}  # fmt: skip
# The uplink as it is, but certificates go out at once and not by the half hour.
AT_ONCE = """
import sys
from doorsill.cli import main as cli
from doorsill.services import uplink_opening as service
from doorsill.uplink.pace import Pace
service.PACE = Pace(minute_s=0.0, state_s=0.0, state_rest_s=0.0, gauges_s=0.0)
sys.exit(cli.run(sys.argv[1:]))
"""
RECEIVES = (
    "import sys; from doorsill_fleet.cli.main import run; sys.exit(run(sys.argv[1:]))"
)
PLAIN = "import sys; from doorsill.cli import main; sys.exit(main.run(sys.argv[1:]))"


@dataclass
class Case:
    """A chain, one camera of it, and the words of the person at the office."""

    fleet: FleetWorld
    serial: str
    voucher: str
    capsys: pytest.CaptureFixture[str]
    home: Path

    @property
    def own(self) -> list[str]:
        return ["--folder", str(self.fleet.chain.folder)]

    def sign(self, version: int, **more: Any) -> None:
        draft = self.fleet.chain.folder / "policies" / f"{SITE}.toml"
        draft.write_text(
            text_of({**SHARED, "version": version, **more}, {"cam-01": [LINE]})
        )
        assert run(["policy", "sign", SITE, *self.own]) == 0

    def retire(self, *words: str) -> tuple[int, str]:
        self.capsys.readouterr()
        code = run(["device", "retire", self.serial, *words, *self.own])
        said = self.capsys.readouterr()
        return code, said.out + said.err

    @property
    def state(self) -> str:
        with transaction(self.fleet.register) as session:
            return require_device(session, self.serial).state

    def record(self) -> dict[str, Any]:
        """The record, from its file; the register has the same bytes."""
        path = self.fleet.chain.folder / "retired" / f"{self.serial}.json"
        with transaction(self.fleet.register) as session:
            row = session.get(RetirementRow, self.serial)
            assert row is not None and row.record.encode() == path.read_bytes()
        return record.read(path.read_bytes(), self.fleet.chain.issuing)


@pytest.fixture
def case(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> Iterator[Case]:
    home = tmp_path_factory.mktemp("r")  # short: sockets have short names
    with fleet_world(home) as fleet:
        path = fleet.chain.folder / "fleet.toml"
        path.write_text(path.read_text().replace("local = false", "local = true"))
        (fleet.chain.folder / "policies" / f"{SITE}.json").unlink()
        made = fleet.add()[0]
        voucher = fleet.voucher(made).text()
        yield Case(fleet, made.serial, voucher, capsys, home)


def camera(case: Case, consent: ConsentStage) -> Config:
    """The camera after `enrol`, with a vault that reads the virtual reader."""
    folder = case.home / "c"
    enrolled(case.fleet, folder, case.voucher).publisher.stop()
    path = folder / "doorsill.toml"
    own = f'state = "{folder}/s"\nrun = "{folder}/n"'
    text = path.read_text().replace("[device]", f"[device]\n{own}")
    path.write_text(text + consent.configuration)
    (folder / "consent-ca.pem").write_bytes(consent.ca_pem)
    return load_config(path)


@contextmanager
def at_work(case: Case, config: Config, consent: ConsentStage) -> Iterator[None]:
    """Vault and uplink as processes, and a thread that starts the policy process."""
    prepare(config)
    path = config.policy.file.parent / "doorsill.toml"
    ends, deciding = threading.Event(), Deciding(path, config.arrived)

    def words(name: str, program: str) -> list[object]:
        return [program, "run", "--only", name, "--config", path]

    def go_on() -> None:
        """Start the policy process when one came, and the uplink when it ended."""
        while not ends.is_set():
            with process(words("uplink", AT_ONCE), case.home) as uplink:
                while uplink.poll() is None and not ends.wait(0.1):
                    deciding.turn(time.monotonic())
        deciding.stop()

    thread = threading.Thread(target=go_on)
    with process(words("vault", PLAIN), case.home, consent):
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join(END_S)


@contextmanager
def process(
    words: Sequence[object], home: Path, consent: ConsentStage | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own; what it says is in the log of its number."""
    log = home / f"{len(list(home.glob('*.log')))}.log"
    more = {**WIPING, **consent.environment} if consent else {}
    with log.open("wb") as said:
        child = subprocess.Popen(
            [sys.executable, "-c", *map(str, words)],
            env={**os.environ, **more},
            stdout=said,
            stderr=said,
        )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(END_S)


@contextmanager
def receiving(case: Case) -> Iterator[None]:
    folder = case.fleet.chain.folder
    words = [
        RECEIVES, "receive",
        "--broker", f"localhost:{case.fleet.chain.places.broker_port}",
        "--store", folder.parent / "visitors.db", "--ca", folder / "ca.pem",
        "--certificate", folder / "reader-store.pem",
        "--key", folder / "reader-store.key",
    ]  # fmt: skip
    with process(words, case.home):
        wait_until(lambda: "INFO doorsill_fleet" in _logs(case), lambda: _logs(case))
        yield


@contextmanager
def at_the_broker(case: Case) -> Iterator[None]:
    chain = case.fleet.chain
    with running(chain.broker, chain.places.broker_port):
        yield


@pytest.fixture
def consent(case: Case) -> Iterator[ConsentStage]:
    stage = ConsentStage(case.home / "p", SITE)
    stage.start()
    try:
        yield stage
    finally:
        stage.stop()


def test_a_camera_that_filmed_faces_ends_as_it_should(
    case: Case, consent: ConsentStage
) -> None:
    """The card is in, and the vault open, when the office ends it."""
    case.sign(1, consent=consent.policy)
    config = camera(case, consent)
    with at_the_broker(case), receiving(case), at_work(case, config, consent):
        consent.insert()
        wait_until(lambda: _vault(config)["state"] == "open", lambda: _logs(case))
        code, said = case.retire("--wait", "60", "--why", "the shop closes")
        assert code == 0, said + _logs(case)
        assert "its vault is blank, as its verified certificates say" in said
        assert "has ended its connection, and refuses a new one" in said
        wait_until(lambda: "is revoked" in _logs(case), lambda: _logs(case))
    found = case.record()
    assert (found["vault"], found["why"]) == ("blanked", "the shop closes")
    assert found["certificates"] >= 3  # start, the end of the session, the last policy
    assert len(found["revoked"]) == 1 and len(found["newest"]) == 64
    assert case.state == RETIRED
    case.capsys.readouterr()
    assert run(["device", "show", case.serial, *case.own]) == 0
    assert "its vault is blank" in case.capsys.readouterr().out


def _vault(config: Config) -> dict[str, Any]:
    try:
        return status(config)
    except ConfigError:
        return {"state": ""}


def _logs(case: Case) -> str:
    return "\n".join(
        f"{path}: {path.read_text()[-2000:]}" for path in case.home.glob("*.log")
    )


def test_without_its_certificate_it_is_not_retired_and_later_it_is(
    case: Case, consent: ConsentStage
) -> None:
    """The camera is off: said in words. It is back: the same command ends it."""
    case.sign(1, consent=consent.policy)
    config = camera(case, consent)
    with at_the_broker(case), receiving(case):
        code, said = case.retire("--wait", "0.1")
        assert code == 1 and f"{case.serial} is NOT retired" in said
        assert "no blanking certificate of it is in" in said
        assert "receive` runs" in said and "--without-certificate" in said
        assert case.state == "active"
        with at_work(case, config, consent):
            code, said = case.retire("--wait", "60")
            assert code == 0, said + _logs(case)
    assert case.record()["vault"] == "blanked"


def test_a_camera_that_never_had_a_vault_says_so(case: Case) -> None:
    case.sign(1)
    enrolled(case.fleet, case.home / "c", case.voucher).publisher.stop()
    code, said = case.retire()
    assert code == 0 and "it never had a vault" in said
    found = case.record()
    assert (found["vault"], found["certificates"]) == ("none", 0)
    code, said = case.retire()
    assert code == 2 and "is retired already" in said
    for word in ("revoke", "replace"):
        assert run(["device", word, case.serial, *case.own]) == 2


def test_what_can_never_come_is_stated_in_the_record(case: Case) -> None:
    consent = {
        "purposes": ["validation"], "ca": "ab" * 32, "revoked": [], "max_seconds": 60,
        "max_bytes": 4096, "max_crops": 1,
    }  # fmt: skip
    case.sign(1, consent=consent)
    enrolled(case.fleet, case.home / "c", case.voucher).publisher.stop()
    assert run(["device", "revoke", case.serial, "--why", "burnt", *case.own]) == 0
    code, said = case.retire()
    assert code == 2 and "no certificate of its vault can come any more" in said
    code, said = case.retire("--without-certificate", "--why", "burnt")
    assert code == 0 and "is NOT certified" in said
    found = case.record()
    assert (found["vault"], found["why"]) == ("not certified", "burnt")


def test_a_voucher_that_nobody_used_ends_without_a_word_of_a_vault(case: Case) -> None:
    assert case.retire()[0] == 0 and case.record()["revoked"] == []
    assert case.record()["vault"] == "none"


def test_a_record_that_was_altered_is_none(case: Case) -> None:
    case.retire()
    path = case.fleet.chain.folder / "retired" / f"{case.serial}.json"
    body, signature = canonical.split(path.read_bytes())
    false = canonical.encode(
        {"signature": signature, "signed": {**body, "vault": "blanked"}}
    )
    with pytest.raises(UntrustedError):
        record.read(false, case.fleet.chain.issuing)
