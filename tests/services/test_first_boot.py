"""From doorsill.txt to a camera that counts, with the real server of the office."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from children import DIES_AT, started
from fleets import SITE, VALID, FleetWorld, fleet_world
from limits import LONG, PROGRAM_S, wait_until

from doorsill.device import identity
from doorsill.device.network_files import CLOCK, LINK, WIFI
from doorsill.documents.boot.file import (
    NAME,
    BootFile,
    Network,
    Static,
    Wifi,
    write_boot_file,
)
from doorsill.documents.boot.steps import STATUS_NAME, Step
from doorsill.documents.boot.values import Server
from doorsill.documents.boot.wiring import Wiring
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.first_steps import IDLE_S
from doorsill.enrolment.stage import FILES
from doorsill.services.first_boot import SAVED_NAME, USED_NAME, FirstBoot, Places
from doorsill.services.first_boot_ports import FOLDER
from doorsill.services.first_boot_wiring import ALL, VAULT
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.register import transaction

DAY_S = 86400.0
STATIC = Static("192.0.2.17/24", "192.0.2.1", ("192.0.2.1",))


@dataclass
class Machine:
    """A machine that starts what it is asked to start, and remembers."""

    started: int = 0
    networks: list[Path] = field(default_factory=list)  # files to be read again
    filters: bool = True  # it lets out what was written
    opened: int = 0
    runs: bool = True  # what is started
    answers: bool = True  # it takes another configuration
    taken: list[str] = field(default_factory=list)  # what it then started again
    taken_before_start: bool = False

    def take_network(self, changed: list[Path]) -> None:
        self.networks += changed

    def open_ports(self) -> bool:
        self.opened += self.filters
        return self.filters

    def take_settings(self, unit: str) -> bool:
        if self.answers:
            self.taken.append(unit)
            self.taken_before_start = not self.started
        return self.answers

    def start_counting(self) -> None:
        self.started += 1

    def counts(self) -> bool:
        return self.runs and self.started > 0


@dataclass
class Card:
    """A camera's card, on a desk or in the camera."""

    folder: Path
    machine: Machine = field(default_factory=Machine)
    now: float = 0.0  # s, monotonic

    def __post_init__(self) -> None:
        (self.folder / "boot").mkdir(parents=True)
        synchronised = self.folder / "run/systemd/timesync/synchronized"
        synchronised.parent.mkdir(parents=True)
        synchronised.touch()
        self.first = self.booted()

    @property
    def boot(self) -> Path:
        return self.folder / "boot"

    @property
    def target(self) -> Path:
        return self.folder / "etc"

    def booted(self) -> FirstBoot:
        """Power comes."""
        places = Places(self.boot, self.target, self.folder)
        self.first = FirstBoot(places, self.machine, Shown())
        self.first.set_saved_network()
        return self.first

    def write(self, file: BootFile) -> None:
        (self.boot / NAME).write_bytes(write_boot_file(file))

    def play(self, within_s: float) -> None:
        """Its turns, by its own clock."""
        ends = self.now + within_s
        while self.now <= ends:
            self.now += self.first.turn(self.now)

    @property
    def ports(self) -> dict[str, str]:
        """What it has written for the filter of packets."""
        folder = self.folder / FOLDER
        return {each.name: each.read_text() for each in folder.glob("*")}

    @property
    def status(self) -> str:
        return (self.boot / STATUS_NAME).read_text()

    @property
    def text(self) -> bytes:
        return (self.boot / NAME).read_bytes()

    def secrets_left(self, voucher: Voucher) -> list[Path]:
        """Files with half of the secret: four letters stand in a key by chance."""
        groups = voucher.text().rpartition("/")[2].split("-")[:4]
        parts = [
            mark.join(two).encode() for two in pairwise(groups) for mark in ("-", "")
        ]
        files = [each for each in self.folder.rglob("*") if each.is_file()]
        return [e for e in files if any(part in e.read_bytes() for part in parts)]


class Shown:
    """A lamp that remembers the steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.line = ""

    def use(self, line: str) -> None:
        self.line = line

    def show(self, step: Step) -> None:
        self.steps.append(step.word)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetWorld]:
    with fleet_world(tmp_path_factory.mktemp("fleet")) as world, world.serving():
        yield world


def enrolments(fleet: FleetWorld, voucher: Voucher) -> int:
    with transaction(fleet.register) as session:
        return len(devices.certificates(session, voucher.serial))


def a_file(fleet: FleetWorld) -> tuple[BootFile, Voucher]:
    voucher = fleet.voucher(fleet.add()[0])
    return BootFile(SITE, voucher, camera="video:/dev/video0"), voucher


def test_a_flashed_card_becomes_a_camera_that_counts(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, voucher = a_file(fleet)
    card.write(file)
    assert card.secrets_left(voucher) == [card.boot / NAME]
    size = len(card.text)
    card.play(30)
    assert identity.load(card.target).site == SITE
    assert {each.name for each in card.target.iterdir()} == {
        *FILES, USED_NAME, SAVED_NAME,
    }  # fmt: skip
    assert 'driver = "video"' in (card.target / "doorsill.toml").read_text()
    assert "now:   it counts\nlamp:  lit\n" in card.status
    assert card.secrets_left(voucher) == [] and len(card.text) == size
    assert card.machine.started == 1 and enrolments(fleet, voucher) == 1
    assert isinstance(card.first.lamp, Shown)
    assert card.first.lamp.steps == ["fleet", "starts", "counts"]


def test_what_its_files_name_is_let_out_before_it_is_needed(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, voucher = a_file(fleet)
    card.write(file)
    card.first.turn(0.0)
    assert card.ports == {"boot": f"{voucher.port}\n"} and card.machine.opened == 1
    card.play(30)
    broker = fleet.chain.places.broker_port
    assert card.ports == {"broker": f"{broker}\n", "fleet": f"{voucher.port}\n"}
    opened = card.machine.opened
    card.play(60)
    assert card.machine.opened == opened  # once for each change
    card.write(replace(file, voucher=None, server=Server("10.0.0.5", 12443)))
    card.play(30)
    assert "boot" not in card.ports  # nobody is asked there: it has joined


def test_a_filter_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    card = Card(tmp_path / "card")
    card.machine.filters = False
    card.play(30)
    card.machine.filters = True
    card.play(30)
    assert card.machine.opened == 1


def test_a_typo_is_said_beside_the_file_and_corrected_it_goes_on(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, voucher = a_file(fleet)
    card.write(file)
    good = card.text
    (card.boot / NAME).write_bytes(good.replace(b"site =", b"sight ="))
    card.play(60)
    assert "a person is needed\nlamp:  flickers" in card.status
    assert (
        "line 5: 'sight' is not a key of this file; did you mean site?" in card.status
    )
    assert card.machine.started == 0 and enrolments(fleet, voucher) == 0
    (card.boot / NAME).write_bytes(good)
    card.booted()
    card.play(30)
    assert "it counts" in card.status


@pytest.mark.parametrize(
    ("name", "words"),
    [(None, "there is no doorsill.txt"), ("doorsill.txt.txt", "its name must be")],
)
def test_a_card_without_the_file_says_so(
    tmp_path: Path, name: str | None, words: str
) -> None:
    card = Card(tmp_path / "card")
    if name:
        (card.boot / name).write_text("site = x\n")
    card.play(30)
    assert words in card.status


def test_what_the_console_says_stands_on_the_card_already(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads it there may pull the power at once."""
    card, seen = Card(tmp_path), list[tuple[str, bool]]()

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            status = card.boot / STATUS_NAME
            there = status.read_text() if status.exists() else ""
            seen.append((record.getMessage(), "a person is needed" in there))

    heard, reader = logging.getLogger("doorsill.services.first_boot"), Reader()
    heard.addHandler(reader)
    with caplog.at_level(logging.INFO, logger=heard.name):
        card.play(5)
    heard.removeHandler(reader)
    said = [there for words, there in seen if words.startswith("a person is needed")]
    assert said == [True]


def test_a_day_without_a_server_and_then_it_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    with fleet_world(tmp_path) as world:
        card = Card(tmp_path / "card")
        file, voucher = a_file(world)
        card.write(file)
        card.play(600)
        card.now += DAY_S
        card.play(120)
        assert "it waits for the network" in card.status
        assert "does not answer" in card.status and voucher.text().encode() in card.text
        with world.serving():
            card.play(120)
        assert "it counts" in card.status and enrolments(world, voucher) == 1


def test_an_office_without_a_policy_is_waited_for_and_the_voucher_is_gone(
    tmp_path: Path,
) -> None:
    with fleet_world(tmp_path) as world, world.serving():
        (world.chain.folder / "policies" / f"{SITE}.json").unlink()
        card = Card(tmp_path / "card")
        file, voucher = a_file(world)
        card.write(file)
        card.play(60)
        assert "it waits for its policy\nlamp:  flashes 5 times" in card.status
        assert b"doorsill://" not in card.text
        card.booted()
        world.sign_policy(attributes=False)
        card.play(60)
        assert "it counts" in card.status and enrolments(world, voucher) == 1


def test_a_used_voucher_needs_a_person_and_another_one_goes_on(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card, other = Card(tmp_path / "card"), Card(tmp_path / "other")
    file, voucher = a_file(fleet)
    for each in (card, other):
        each.write(file)
        each.play(30)
    assert "the fleet refuses: this voucher was used on" in other.status
    assert other.machine.started == 0
    other.write(a_file(fleet)[0])
    other.play(30)
    assert "it counts" in other.status and enrolments(fleet, voucher) == 1


def test_a_card_in_the_wrong_shop_does_not_count(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, voucher = a_file(fleet)
    card.write(replace(file, site="lisbon-9"))
    card.play(30)
    assert "site = lisbon-9, and the office knows this camera as" in card.status
    assert card.machine.started == 0 and not (card.target / "device.crt").exists()
    (card.boot / NAME).write_bytes(card.text.replace(b"lisbon-9", SITE.encode()))
    card.play(30)
    assert "it counts" in card.status and enrolments(fleet, voucher) == 1


def test_a_camera_without_a_camera_calls_a_person_and_counts_when_it_is_there(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """Its processes begin and end, again and again, and are never called active."""
    card = Card(tmp_path / "card")
    card.machine.runs = False
    card.write(a_file(fleet)[0])
    card.play(IDLE_S / 2)
    assert "the camera starts" in card.status
    card.play(IDLE_S)
    assert "a person is needed\nlamp:  flickers" in card.status
    assert "is its ribbon in place?" in card.status
    card.machine.runs = True
    card.play(30)
    assert "it counts" in card.status


def test_a_state_partition_of_another_shops_camera_is_named(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, _ = a_file(fleet)
    card.write(file)
    card.play(30)
    card.write(replace(file, voucher=None, site="lisbon-9"))
    card.booted()
    card.play(30)
    assert f"site = lisbon-9, and this is a camera of {SITE}" in card.status
    assert "now:   it counts" in card.status
    card.write(replace(file, voucher=None))
    card.play(30)
    assert "lisbon-9" not in card.status


def test_a_clock_at_1970_is_waited_for_and_then_done_without(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    (card.folder / "run/systemd/timesync/synchronized").unlink()
    route = card.folder / "proc/self/net/route"
    route.parent.mkdir(parents=True)
    route.write_text("Iface\tDestination\tGateway\neth0\t00000000\t0102A8C0\n")
    card.write(a_file(fleet)[0])
    card.play(100)
    assert "it waits for the right time" in card.status
    card.play(200)
    assert "it counts" in card.status


def test_what_a_person_says_of_the_network_is_set_and_outlives_a_typo(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, _ = a_file(fleet)
    card.write(replace(file, network=Network(Wifi("Shop", "12345678", "PT"))))
    card.play(30)
    supplicant = card.folder / "run/doorsill-wifi/wpa_supplicant.conf"
    assert 'psk="12345678"' in supplicant.read_text()
    assert card.machine.networks == [LINK, WIFI]
    supplicant.unlink()  # /run is empty after power has gone
    (card.boot / NAME).write_bytes(card.text.replace(b"wifi =", b"wify ="))
    card.booted()
    card.play(30)
    assert 'psk="12345678"' in supplicant.read_text()
    assert "it counts" in card.status and "did you mean wifi?" in card.status


def test_a_restart_after_hours_calls_no_person_until_it_takes_minutes(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """As of vision for another policy, or of one that its watchdog ended."""
    card = Card(tmp_path / "card")
    card.write(a_file(fleet)[0])
    card.play(3600)
    assert "it counts" in card.status
    card.machine.runs = False
    card.play(IDLE_S / 2)
    assert "the camera starts" in card.status
    card.machine.runs = True
    card.play(30)
    card.machine.runs = False
    card.play(IDLE_S / 2)
    assert "the camera starts" in card.status
    card.play(IDLE_S)
    assert "a person is needed" in card.status, "the control"


def test_what_is_wired_is_in_the_configuration_before_it_counts(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """Each change is taken once; a reader that goes for good is a line less, later."""
    card = Card(tmp_path / "card")
    file, _ = a_file(fleet)
    wiring = Wiring("uTrust", key_switch="chip:17", status_lamp="chip:25")
    card.write(replace(file, wiring=wiring))
    card.play(30)
    text = (card.target / "doorsill.toml").read_text()
    assert 'reader = "uTrust"\ngpio_line = "chip:17"\n' in text
    assert card.machine.taken == [ALL] and card.machine.taken_before_start
    assert isinstance(card.first.lamp, Shown) and card.first.lamp.line == "chip:25"
    card.write(replace(file, voucher=None, wiring=replace(wiring, key_switch="")))
    card.booted()
    card.play(30)
    assert card.machine.taken == [ALL, VAULT] and "it counts" in card.status
    (card.boot / NAME).write_bytes(write_boot_file(BootFile(SITE, None)))
    card.machine.answers = False
    card.play(30)
    assert "[consent]" not in (card.target / "doorsill.toml").read_text()
    card.machine.answers = True
    card.booted()  # killed before systemd answered
    card.play(30)
    assert card.machine.taken == [ALL, VAULT, ALL] and "it counts" in card.status
    assert isinstance(card.first.lamp, Shown) and card.first.lamp.line == ""


def test_a_configuration_that_a_person_wrote_is_named_and_the_camera_counts(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, _ = a_file(fleet)
    card.write(file)
    card.play(30)
    path = card.target / "doorsill.toml"
    path.write_text(path.read_text() + '[consent]\nca = "a"\n')
    card.write(replace(file, voucher=None, wiring=Wiring("uTrust")))
    card.play(30)
    assert "now:   it counts" in card.status
    assert "has a [consent] of its own" in card.status and not card.machine.taken


@pytest.mark.parametrize(
    ("network", "changed"),
    [
        pytest.param(Network(), [], id="a cable with DHCP"),
        pytest.param(Network(time_server="192.0.2.1"), [CLOCK], id="a time server"),
        pytest.param(Network(static=STATIC), [LINK], id="a fixed address"),
        pytest.param(Network(Wifi("Shop", "", "PT")), [LINK, WIFI], id="a radio"),
    ],
)
def test_only_what_the_file_asks_for_is_read_again(
    tmp_path: Path, network: Network, changed: list[Path]
) -> None:
    """At each boot, as /run is empty then: a restart takes a camera off its network."""
    card = Card(tmp_path / "card")
    card.write(BootFile(SITE, None, network=network))
    card.play(5)
    assert card.machine.networks == changed
    card.booted()
    card.play(5)
    assert card.machine.networks == changed, "once"
    card.write(BootFile(SITE, None))
    card.play(5)
    assert card.machine.networks == changed * 2, "as it was before"


def test_a_voucher_of_later_enrols_again_and_the_camera_counts_meanwhile(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    card = Card(tmp_path / "card")
    file, voucher = a_file(fleet)
    card.write(file)
    card.play(30)
    before = identity.load(card.target).certificate
    with transaction(fleet.register) as session:
        again = devices.replace(session, voucher.serial, datetime.now(UTC), VALID)
    card.write(replace(file, voucher=fleet.voucher(again)))
    card.booted()
    card.play(30)
    assert identity.load(card.target).certificate != before
    assert "it counts" in card.status and b"doorsill://" not in card.text


PROGRAM = (
    DIES_AT
    + """
sys.path[:0] = sys.argv[3:4]
from doorsill.services.first_boot import FirstBoot, Places
class Machine:
    def take_network(self, changed): pass
    def open_ports(self): return True
    def take_settings(self, unit): return True
    def start_counting(self): sys.exit(0)
    def counts(self): return False
first = FirstBoot(Places(folder / "boot", folder / "etc", folder), Machine())
first.set_saved_network()
for turn in range(20):
    first.turn(turn * 100.0)
sys.exit(1)
"""
)


@pytest.mark.timeout(300)
def test_power_may_go_at_each_step_and_there_is_one_enrolment(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """Killed at every so many calls that touch the disk, then booted to the end."""
    died = 0
    for at in range(1, 100_000, 3 if LONG else 29):
        card = Card(tmp_path / str(at))
        file, voucher = a_file(fleet)
        card.write(file)
        words = [sys.executable, "-c", PROGRAM, str(card.folder), str(at)]
        done = subprocess.run(
            words, capture_output=True, timeout=PROGRAM_S, check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        died += 1
        card.play(60)
        assert "it counts" in card.status, at
        assert enrolments(fleet, voucher) == 1 and card.secrets_left(voucher) == [], at
        identity.load(card.target)
    assert died > 6


SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> {folder}/asked
case "$*" in *LoadState*) echo loaded ;; *show*) echo active; echo active ;; esac
"""


def test_the_program_says_all_on_its_console_and_ends_with_a_signal(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """As its unit starts it; a script for systemctl writes down what it is asked."""
    card = Card(tmp_path / "card")
    file, _ = a_file(fleet)
    card.write(replace(file, network=Network(time_server="192.0.2.1")))
    script = tmp_path / "systemctl"
    script.write_text(SYSTEMCTL.format(folder=tmp_path))
    script.chmod(0o755)
    words = [sys.executable, "-m", "doorsill", "first-boot", "--boot", str(card.boot)]
    words += ["--to", str(card.target), "--root", str(card.folder), "--lamp", "GPIO-no"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def counts() -> bool:
        status = card.boot / STATUS_NAME
        return status.exists() and "it counts" in status.read_text()

    with started(words, env=env, stderr=subprocess.PIPE) as child:
        wait_until(counts, within_s=PROGRAM_S)
        child.terminate()
        assert child.stderr is not None
        said = child.communicate(timeout=PROGRAM_S)[1].decode()
    assert child.returncode == 0
    assert "no status lamp: there is no GPIO line named GPIO-no" in said
    for words_said in ("it asks the office", f"enrolled as {SITE}", "it counts"):
        assert words_said in said
    asked = (tmp_path / "asked").read_text()
    assert "--no-block try-restart systemd-timesyncd.service" in asked
    assert "networkd" not in asked and "wifi" not in asked
    assert asked.splitlines().count("start doorsill-ports.service") > 1
    assert "show --property=ActiveState --value doorsill-vision.service" in asked
