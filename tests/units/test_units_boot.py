"""A camera that is switched on, with nobody there: all comes up in order, and stays."""

from __future__ import annotations

import re

import pytest
from places import ROOT

from .machine import Machine, until
from .shop import Shop
from .test_units import ALL, READY_S, RESTART_S, STATE_S, until_active

UNITS = sorted(
    each.name
    for each in (ROOT / "firmware/systemd").iterdir()
    if each.suffix in (".service", ".path", ".timer", ".target")
    and each.name != "doorsill-wifi.service"  # there is no radio, and no wpa_supplicant
)
WATCHING = (
    "doorsill-policy.path",
    "doorsill-renewed.path",
    "doorsill-renew.timer",
    "doorsill-pcscd.path",
)
SERVICES = [each for each in UNITS if each.endswith(".service")]
EXPOSED = 2.0  # systemd's own score of what a service could still do: 10 is open


@pytest.fixture(scope="module")
def booted(machine: Machine, shop: Shop) -> Machine:
    """Off as by a power cut, and on again; from then on nobody starts anything."""
    assert "doorsill.target" in machine.systemctl("enable", "doorsill.target")
    shop.stop_listening()
    machine.off()
    machine.boot()
    shop.listen()
    return machine


def moment(machine: Machine, unit: str, name: str) -> int:
    """A time stamp of a unit, monotonic us; 0 if there is none."""
    return int(machine.systemctl("show", "--value", "-p", f"{name}Monotonic", unit))


def test_all_comes_up_by_itself(booted: Machine, shop: Shop) -> None:
    until_active(booted, *ALL)
    until(lambda: shop.state() == "ready", STATE_S, lambda: booted.said("uplink"))
    for each in WATCHING:
        assert booted.systemctl("is-active", each) == "active", each
    assert booted.systemctl("--failed", "--plain", "--no-legend") == ""


def test_nobody_obeys_a_policy_before_it_is_decided_on(booted: Machine) -> None:
    decided = moment(booted, "doorsill-policy.service", "ExecMainExitTimestamp")
    assert decided
    for each in ALL:
        unit = f"doorsill-{each}.service"
        assert moment(booted, unit, "ExecMainStartTimestamp") >= decided


def test_systemd_found_no_cycle_and_dropped_no_job(booted: Machine) -> None:
    said = booted.journal("-b", "-t", "systemd", "-g", "cycle|deleted to break")
    assert [x for x in said.splitlines() if "-- No entries --" not in x] == []


def test_systemd_finds_nothing_wrong_with_any_unit(booted: Machine) -> None:
    assert booted.run("systemd-analyze", "verify", *UNITS) == ""


@pytest.mark.parametrize("unit", SERVICES)
def test_systemd_scores_a_service(booted: Machine, unit: str) -> None:
    said = booted.run("systemd-analyze", "security", "--no-pager", unit)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert found, said
    print(f"{unit}: {found[1]}")
    assert float(found[1]) <= EXPOSED


@pytest.mark.parametrize("service", ALL)
def test_a_process_that_is_killed_is_at_work_again(
    booted: Machine, service: str
) -> None:
    before = booted.pid(service)
    booted.systemctl("kill", "--signal=SIGKILL", f"doorsill-{service}")
    until(
        lambda: booted.pid(service) not in (0, before),
        RESTART_S,
        lambda: booted.said(service),
    )
    until_active(booted, service, within_s=READY_S)


@pytest.mark.parametrize("watch", ["policy", "renewed", "pcscd"])
def test_a_watch_ends_with_the_target_and_begins_with_it(
    booted: Machine, watch: str
) -> None:
    booted.systemctl("stop", "doorsill.target")
    unit = f"doorsill-{watch}.path"
    assert booted.systemctl("is-active", unit) == "inactive"
    booted.systemctl("start", "doorsill.target")
    until_active(booted, *ALL)
    assert booted.systemctl("is-active", unit) == "active"
