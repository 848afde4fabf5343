"""An enrolled camera under systemd: its certificate is renewed while it counts.

In their order: the camera joins a real fleet, is left alone while its certificate is
young, renews at two thirds of its life, and is whole after each way of being cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from limits import WITHIN_S

from .fleet_shop import FleetShop, fleet_shop
from .machine import Machine, until
from .test_units import READY_S, STATE_S, until_active

RENEW, RENEWED = "doorsill-renew.service", "doorsill-renewed.service"
TIMER = "doorsill-renew.timer"
AT_ONCE = "[Timer]\nOnBootSec=\nOnCalendar=\nOnActiveSec=1\nRandomizedDelaySec=0\n"
UNTOUCHED_S = 2.0  # in which a path unit would have started another process


@pytest.fixture(scope="module")
def fleet(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FleetShop]:
    with fleet_shop(machine, tmp_path_factory.mktemp("fleet")) as found:
        yield found


def started(machine: Machine, unit: str) -> int:
    """When it was started last, monotonic us; 0: never since the boot."""
    name = "ExecMainStartTimestampMonotonic"
    return int(machine.systemctl("show", "--value", "-p", name, unit) or 0)


def renewal(machine: Machine) -> str:
    """Start the timer's service and wait for its end; what it said."""
    began = machine.run("date", "+%s")
    machine.systemctl("start", RENEW)
    return machine.journal("-u", RENEW, "--since", f"@{began}", "-o", "cat")


def until_given(machine: Machine, fleet: FleetShop, before: int) -> None:
    """Until another uplink than ``before`` speaks, with the key that lies in place."""

    def given() -> bool:
        pid = machine.pid("uplink")
        try:
            return pid not in (0, before) and fleet.key_of("uplink") == fleet.pair()[0]
        except FileNotFoundError:  # it has ended, or just begins
            return False

    until(given, READY_S, lambda: machine.said("renewed") + machine.said("uplink"))
    until_active(machine, "uplink")


def until_heard_again(machine: Machine, fleet: FleetShop) -> None:
    """Until the broker has another word of the camera."""
    count = len(fleet.heard("health"))
    until(
        lambda: len(fleet.heard("health")) > count,
        STATE_S,
        lambda: machine.said("uplink"),
    )


def test_a_camera_is_enrolled_and_counts_and_no_unit_of_it_is_broken(
    machine: Machine, fleet: FleetShop
) -> None:
    fleet.serve()
    assert "enrolled as shop-1 cam-01" in fleet.enrol()
    fleet.listen()
    assert machine.systemctl("start", "doorsill.target") == ""
    until_active(machine, "vision", "uplink")
    until(lambda: fleet.state() == "ready", STATE_S, lambda: machine.said("uplink"))
    broken = machine.systemctl("list-units", "--failed", "--plain", "--no-legend")
    assert "doorsill" not in broken, machine.said("vault")


def test_a_young_certificate_causes_nothing(machine: Machine, fleet: FleetShop) -> None:
    before, pid = fleet.pair(), machine.pid("uplink")
    last = started(machine, RENEWED)
    assert "not yet at two thirds of its life" in renewal(machine)
    machine.run("sleep", str(UNTOUCHED_S))
    assert fleet.pair() == before
    assert started(machine, RENEWED) == last
    assert machine.pid("uplink") == pid


def test_a_certificate_at_two_thirds_of_its_life_is_renewed_by_the_timer(
    machine: Machine, fleet: FleetShop
) -> None:
    pid = machine.pid("uplink")
    old = fleet.old_pair()
    fleet.put_pair(*old)  # which the path unit sees as well
    until_given(machine, fleet, pid)
    until_heard_again(machine, fleet)
    pid = machine.pid("uplink")
    machine.drop_in_for(TIMER, AT_ONCE)
    machine.systemctl("restart", TIMER)
    until(
        lambda: fleet.pair()[1] != old[1],
        READY_S,
        lambda: machine.said("renew") + (fleet.work / "serve.log").read_text(),
    )
    machine.drop_in_for(TIMER, "")
    until_given(machine, fleet, pid)
    until_heard_again(machine, fleet)
    assert fleet.pair()[0] != old[0]
    assert machine.show("renewed", "Result") == "success"
    assert not (fleet.etc / "renewal").exists()
    modes = [each.stat().st_mode & 0o777 for each in fleet.etc.glob("device.*")]
    assert sorted(modes) == [0o600, 0o644]


def test_a_fleet_that_is_down_changes_nothing_and_what_was_killed_is_taken_up(
    machine: Machine, fleet: FleetShop
) -> None:
    pid = machine.pid("uplink")
    old = fleet.old_pair()
    fleet.put_pair(*old)
    until_given(machine, fleet, pid)
    pid = machine.pid("uplink")
    fleet.stop_listening()
    fleet.close_office()
    last = started(machine, RENEWED)
    machine.systemctl("start", "--no-block", RENEW)
    made = fleet.etc / "renewal" / "device.key"
    until(made.exists, READY_S, lambda: machine.said("renew"))
    until(lambda: "next try" in machine.said("renew"), WITHIN_S)
    machine.systemctl("kill", "--signal=SIGKILL", RENEW)
    until(lambda: machine.show("renew", "ActiveState") == "failed", READY_S)
    assert fleet.pair() == old
    assert started(machine, RENEWED) == last and machine.pid("uplink") == pid
    asked_for = made.read_bytes()
    fleet.serve()
    fleet.listen()
    assert "renewed; next from" in renewal(machine)
    assert fleet.pair()[0] == asked_for
    until_given(machine, fleet, pid)
    until_heard_again(machine, fleet)


def test_a_power_cut_between_key_and_certificate_is_mended_by_the_next_look(
    machine: Machine, fleet: FleetShop
) -> None:
    """With a pair that does not fit the uplink gives up; the renewal ends that."""
    key, certificate = fleet.old_pair(days=1)
    stage = fleet.etc / "renewal"
    stage.mkdir(0o700)
    fleet.put_pair(key, certificate, "renewal")
    (stage / "ready").write_bytes(b"")
    (fleet.etc / "device.key").write_bytes(key)
    machine.systemctl("restart", "doorsill-uplink")
    until(
        lambda: machine.show("uplink", "ActiveState") == "failed",
        READY_S,
        lambda: machine.said("uplink"),
    )
    assert "renewed; next from" in renewal(machine)
    until_given(machine, fleet, 0)
    until_heard_again(machine, fleet)
    assert fleet.pair() == (key, certificate)
