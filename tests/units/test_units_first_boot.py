"""From a flashed card to a camera that counts, by `doorsill-first-boot` alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
from fleets import SITE
from limits import END_S

from doorsill.documents.boot.file import NAME, BootFile, write_boot_file
from doorsill.documents.boot.steps import STATUS_NAME

from .fleet_shop import FleetShop, fleet_shop
from .machine import Machine, until
from .test_units import READY_S, STATE_S, until_active

UNIT = "doorsill-first-boot.service"
ROUTE = "from doorsill.device.route import has_route; print(has_route())"


@pytest.fixture(scope="module")
def fleet(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FleetShop]:
    machine.inside("boot/firmware").mkdir(parents=True, exist_ok=True)
    with fleet_shop(machine, tmp_path_factory.mktemp("first-boot")) as found:
        yield found
        machine.systemctl("stop", UNIT)


def words(machine: Machine) -> str:
    """What a person reads on the card; for a failure, what the process said."""
    path = machine.inside("boot/firmware") / STATUS_NAME
    return path.read_text() if path.exists() else machine.said("first-boot")


def test_a_card_with_a_voucher_becomes_a_camera_that_counts(
    machine: Machine, fleet: FleetShop
) -> None:
    fleet.serve()
    fleet.listen()
    voucher = fleet.world.voucher(fleet.world.add()[0])
    card = machine.inside("boot/firmware") / NAME
    card.write_bytes(write_boot_file(BootFile(SITE, voucher, camera="street")))
    assert machine.systemctl("start", UNIT) == ""
    until(
        lambda: (fleet.etc / "device.crt").exists(),
        READY_S,
        lambda: words(machine) + machine.said("first-boot"),
    )
    until_active(machine, "vision", "uplink")
    until(lambda: fleet.state() == "ready", STATE_S, lambda: machine.said("uplink"))
    until(lambda: "it counts" in words(machine), READY_S, lambda: words(machine))
    assert voucher.secret not in card.read_text()
    assert not (fleet.etc / "enrol").exists()


def test_it_goes_on_after_a_kill_and_leaves_the_camera_alone(
    machine: Machine, fleet: FleetShop
) -> None:
    before, counting = machine.pid("first-boot"), machine.pid("uplink")
    pair = fleet.pair()
    machine.systemctl("kill", "--signal=SIGKILL", UNIT)
    until(
        lambda: machine.pid("first-boot") not in (0, before),
        READY_S,
        lambda: machine.said("first-boot"),
    )
    until(lambda: "it counts" in words(machine), READY_S, lambda: words(machine))
    assert fleet.pair() == pair and machine.pid("uplink") == counting


@pytest.fixture
def way_out() -> Iterator[Callable[[], None]]:
    """Makes a default route in the machine's network, which is our own."""

    def make() -> None:
        for words in (
            "tuntap add away mode tun",
            "address add 192.0.2.2/24 dev away",
            "link set away up",
            "route add default via 192.0.2.1 dev away",
        ):
            subprocess.run(["ip", *words.split()], check=True, timeout=END_S)

    yield make
    subprocess.run(["ip", "link", "delete", "away"], check=False, timeout=END_S)


def test_it_sees_whether_there_is_a_way_out(
    machine: Machine, way_out: Callable[[], None]
) -> None:
    """Its unit hides all of /proc but what is a process's own."""
    own = machine.systemctl("show", "--value", "-p", "MainPID", UNIT)
    enter = ["nsenter", "-t", own, "-m", "--", "/opt/doorsill/bin/python", "-c", ROUTE]
    assert machine.run(*enter) == "False"
    way_out()
    assert machine.run(*enter) == "True"
