"""A shop's own broker learns of a revoked camera by itself, and believes only the CA.

Two real mosquittos, `serve` and `broker follow` as processes; and lists of others.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from broker import publish
from fleets import SITE, FleetWorld, enrolled, fleet_world
from limits import END_S, PROGRAM_S, wait_until

from doorsill.errors import ConfigError, UntrustedError
from doorsill.uplink.answers import Disconnected
from doorsill_fleet.broker import local
from doorsill_fleet.broker.bridge import as_child
from doorsill_fleet.broker.follow import LIST, OBEYED, Follower, require_grown, verify
from doorsill_fleet.broker.mosquitto import free_port
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.cli.main import run
from doorsill_fleet.office.chain import SERVER

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="as root: the files' owner")


@dataclass
class Shop:
    """A chain, and the folder of a shop's own broker."""

    fleet: FleetWorld
    folder: Path
    port: int
    applied: list[str] = field(default_factory=list)
    fails: bool = False  # whether mosquitto does not restart

    def apply(self) -> None:
        if self.fails:
            raise ConfigError("systemctl restart mosquitto.service: failed")
        self.applied.append((self.folder / LIST).read_text())

    @property
    def follower(self) -> Follower:
        return Follower(
            self.folder, ("localhost", self.fleet.chain.places.port), self.apply
        )

    def revoke(self, serial: str) -> None:
        own = ["--folder", str(self.fleet.chain.folder)]
        assert run(["device", "revoke", serial, *own]) == 0

    def give(self, data: bytes) -> None:
        """What `serve` gives from now on."""
        (self.fleet.chain.broker / LIST).write_bytes(data)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    port, out = free_port(), tmp_path / "shop"
    with fleet_world(tmp_path) as fleet:
        words = ["--host", "localhost", "--port", str(port), "--out", str(out)]
        own = ["--folder", str(fleet.chain.folder)]
        assert run(["broker", "bridge", SITE, *words, *own]) == 0
        yield Shop(fleet, out, port)


@contextmanager
def following(shop: Shop, log: Path) -> Iterator[None]:
    """`doorsill-fleet broker follow`, a process, for a root folder of its own."""
    root = log.parent / "root"
    (root / "etc/mosquitto/conf.d").mkdir(parents=True)
    words = ["broker", "follow", str(shop.folder), "--root"]  # it names the server
    command = [sys.executable, "-m", "doorsill_fleet.cli.main", *words, str(root)]
    with log.open("wb") as said:
        child = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        wait_until(
            lambda: b"obeys its new" in log.read_bytes(), log.read_text, PROGRAM_S
        )
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(END_S) == 0


@as_root
@pytest.mark.timeout(300)
def test_a_camera_that_is_revoked_is_cut_off_at_its_shops_own_broker(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = shop.fleet.add()[0]
    (shop.folder / "mosquitto.conf").write_text(
        as_child(shop.fleet.chain, SITE, shop.folder, shop.port)
    )
    bridge = ["--host", "localhost", "--port", str(shop.port)]
    own = ["--folder", str(shop.fleet.chain.folder)]
    again = ["broker", "bridge", SITE, *bridge, "--out", str(shop.folder), *own]
    assert run(again) == 0  # the new camera
    camera = enrolled(shop.fleet, tmp_path / "camera", shop.fleet.voucher(made).text())
    log = tmp_path / "follow.log"
    with (
        shop.fleet.serving_apart(tmp_path / "serve.log"),
        local.running(shop.folder, shop.port),
        following(shop, log),
    ):
        try:
            publish(camera.connect(), range(3))
            shop.revoke(made.serial)
            assert f"the own broker of {SITE} does so" in capsys.readouterr().out
            camera.wait(
                lambda: any(
                    "revoked" in str(each.reason) for each in camera.heard(Disconnected)
                ),
                within_s=60.0,  # which the product promises
            )
        finally:
            camera.publisher.stop()
    installed = tmp_path / "root/etc/mosquitto/doorsill" / LIST
    assert installed.read_bytes() == (shop.fleet.chain.broker / LIST).read_bytes()


def test_a_list_is_obeyed_once_and_a_restart_that_failed_is_made_up(
    shop: Shop,
) -> None:
    with shop.fleet.serving():
        follower = shop.follower
        assert follower.turn(NOW) and follower.turn(NOW)
        assert len(shop.applied) == 1  # at its first look, and not again
        shop.give(revoked(shop.fleet.authority, 1))
        shop.fails = True
        assert not follower.turn(NOW) and "systemctl" in follower.away
        shop.fails = False
        assert shop.follower.turn(NOW)  # another process: the first was killed
        assert len(shop.applied) == 2
        assert (shop.folder / OBEYED).read_bytes()


def test_while_serve_is_away_the_last_list_holds(shop: Shop) -> None:
    follower, before = shop.follower, (shop.folder / LIST).read_bytes()
    assert not follower.turn(NOW) and "does not answer" in follower.away
    with shop.fleet.serving():
        assert follower.turn(NOW) and follower.away == ""
    assert (shop.folder / LIST).read_bytes() == before


def revoked(authority: Authority, count: int, valid: timedelta = YEAR) -> bytes:
    """A list of this CA with so many certificates."""
    other = Authority(authority.certificate, authority.key)
    for _ in range(count):
        other.revoke(other.issue_device(SITE, "cam-09", NOW).certificate, NOW)
    return other.revocation_list(NOW, valid)


def forged(shop: Shop) -> bytes:
    """Signed by another key, in the CA's name."""
    stranger = Authority.create("stranger", NOW)
    return Authority(shop.fleet.chain.issuing, stranger.key).revocation_list(NOW, YEAR)


LISTS: list[object] = [
    pytest.param(lambda shop: b"", "is no list", id="nothing"),
    pytest.param(lambda shop: b"<html>" * 99, "is no list", id="a page of a portal"),
    pytest.param(
        lambda shop: (shop.folder / "ca.pem").read_bytes(),
        "is no list", id="a certificate",
    ),
    pytest.param(
        lambda shop: bytes(revoked(shop.fleet.authority, 1)[:-200]),
        "is no list", id="a cut one",
    ),
    pytest.param(
        lambda shop: Authority.create("stranger", NOW).revocation_list(NOW, YEAR),
        "is not the CA's", id="a stranger's",
    ),
    pytest.param(forged, "is not the CA's", id="in the CA's name, by another key"),
    pytest.param(
        lambda shop: revoked(shop.fleet.authority, 2, timedelta(minutes=-1)),
        "has ended", id="one that has ended",
    ),
    pytest.param(
        lambda shop: revoked(shop.fleet.authority, 0),
        "is an old one: it lacks 1", id="an old one, played again",
    ),
    pytest.param(
        lambda shop: revoked(shop.fleet.authority, 5),
        "is an old one: it lacks 1", id="a longer one without ours",
    ),
    pytest.param(
        lambda shop: b"x" * (2 << 20),
        "gives no list (status 200", id="one without an end",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "says"), LISTS)
def test_another_list_is_refused_and_the_last_one_holds(
    shop: Shop, made: Callable[[Shop], bytes], says: str
) -> None:
    with shop.fleet.serving():
        shop.give(revoked(shop.fleet.authority, 1))
        follower = shop.follower
        assert follower.turn(NOW)
        held, applied = (shop.folder / LIST).read_bytes(), len(shop.applied)
        shop.give(made(shop))
        assert not follower.turn(NOW) and says in follower.away
        assert (shop.folder / LIST).read_bytes() == held
        assert len(shop.applied) == applied
        shop.give(held)
        assert follower.turn(NOW)


def test_a_spoilt_list_in_the_folder_is_replaced(shop: Shop) -> None:
    (shop.folder / LIST).write_bytes(b"half of i")
    with shop.fleet.serving():
        assert shop.follower.turn(NOW)
    assert verify((shop.folder / LIST).read_bytes(), shop.fleet.chain.issuing) == set()


def test_another_fleets_server_is_not_believed(shop: Shop, tmp_path: Path) -> None:
    with fleet_world(tmp_path / "other") as other, other.serving():
        at = ("localhost", other.chain.places.port)
        follower = Follower(shop.folder, at, shop.apply)
        assert not follower.turn(NOW) and "not this fleet's" in follower.away
    assert shop.applied == []


@pytest.mark.parametrize("server", ["", "a b", "host:0", "host:x", "host:70000", "::1"])
def test_a_server_that_cannot_be_one_is_a_sentence(shop: Shop, server: str) -> None:
    words = ["broker", "follow", str(shop.folder), "--server", server]
    try:
        assert run(words) == 2
    except SystemExit as error:  # argparse
        assert error.code == 2


def test_a_folder_that_names_no_server_is_a_sentence(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.folder / SERVER).unlink()
    assert run(["broker", "follow", str(shop.folder)]) == 2
    assert "say it, with --server HOST:PORT" in capsys.readouterr().err


def test_the_folder_of_each_broker_names_the_server(
    shop: Shop,
) -> None:
    chain = shop.fleet.chain
    for folder in (chain.broker, shop.folder):
        said = (folder / SERVER).read_text()
        assert said == f"{chain.places.hosts[0]}:{chain.places.port}\n"


def test_a_list_only_grows() -> None:
    require_grown({1, 2}, {1, 2, 3})
    with pytest.raises(UntrustedError, match="lacks 2"):
        require_grown({1, 2, 3}, {3, 4})
