"""What holds a process where it did not confine itself: its unit alone.

Each unit starts a probe in place of the program and is as shipped in all else. The same
probe as the same user, without the unit, is the control: there every way is open.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from .machine import Machine
from .probe import ATTEMPTS, OF_ROOT
from .shop import Shop
from .test_units import until_active

PROBE = "/opt/doorsill/probe.py"
PYTHON = "/opt/doorsill/bin/python"
INSTEAD = f"""\
[Service]
Type=oneshot
Restart=no
ExecCondition=
ExecStart=
ExecStart={PYTHON} {PROBE}
"""
# A misc device that needs no driver's hardware stands for a camera, whose major number
# this kernel may not have; hidraw's it has.
LOOP_CONTROL, HIDRAW = (10, 237), (245, 0)
BOUND = {"bind to a free port", "bind to port 8080"}
REACHED = ("open", "No such device", "No such device or address")
STATE = {
    "policy": "/var/lib/doorsill/policy",
    "uplink": "/var/lib/doorsill/outbox",
    "vault": "/var/lib/doorsill/vault",
    "renew": "/etc/doorsill",
    "renewed": "/etc/doorsill",
    "pcscd": "/etc/doorsill",
    "first-boot": "/etc/doorsill",
}
AS_ROOT = ("renew", "renewed", "pcscd", "first-boot")


@pytest.fixture(scope="module")
def ready(machine: Machine, shop: Shop) -> Machine:
    """All at work, so that sockets are there to be reached; two devices as well."""
    shutil.copy(Path(__file__).parent / "probe.py", machine.inside(PROBE.lstrip("/")))
    machine.node("video0", *LOOP_CONTROL, "video", 0o666)
    major = next(
        line.split()[0]
        for line in Path("/proc/devices").read_text().splitlines()
        if line.endswith(" hidraw")
    )
    machine.node("hidraw0", int(major), 0, "doorsill-token")
    machine.inside("etc/doorsill/fleet.json").touch()  # renew's condition
    machine.inside("boot/firmware").mkdir(
        parents=True, exist_ok=True
    )  # an image's, for first-boot
    machine.systemctl("start", "doorsill.target")
    until_active(machine, "vision", "uplink", "vault")
    return machine


def reached(said: str) -> set[str]:
    """The ways that were open, of what the probe said last."""
    line = [each for each in said.splitlines() if each.startswith("{")][-1]
    return {way for way, answer in json.loads(line).items() if answer in REACHED}


def control(machine: Machine, service: str) -> set[str]:
    user = ["-p", f"Environment=PROBE_STATE={STATE.get(service, '')}"]
    if service not in AS_ROOT:
        user += ["-p", f"User=doorsill-{service}", "-p", "Group=doorsill"]
        user += ["-p", "SupplementaryGroups=video doorsill-token"]
    return reached(machine.run("systemd-run", "--wait", "-Pq", *user, PYTHON, PROBE))


def under_its_unit(machine: Machine, service: str) -> set[str]:
    unit = f"doorsill-{service}"
    machine.systemctl("stop", unit)
    more = ""
    if service in AS_ROOT:
        more = f"Environment=PROBE_STATE={STATE[service]}\n"
    machine.drop_in(service, INSTEAD + more)
    machine.systemctl("start", unit)
    said = machine.journal("-u", unit, "-o", "cat", "-n", "10")
    machine.drop_in(service, "")
    if service not in AS_ROOT:
        machine.systemctl("start", unit)
    return reached(said)


@pytest.mark.parametrize(
    ("service", "named", "may"),
    [
        pytest.param("policy", "", set(), id="policy: nothing"),
        pytest.param("vision", "", set(), id="vision: nothing but its camera"),
        pytest.param(
            "uplink",
            "",
            {"vision's counts", "broker", "listen"},
            id="uplink: vision, broker; a port without a name it refuses itself",
        ),
        pytest.param(
            "vault",
            "",
            {"pcscd", "vision's counts"},
            id="vault: to pcscd and to vision",
        ),
        pytest.param(
            "vault",
            'token = "fido2"',
            {"pcscd", "vision's counts", "FIDO2 key"},
            id="vault with a FIDO2 key: to that as well, and still no camera",
        ),
        pytest.param(
            "vault",
            'gpio_line = "none:17"',
            {"pcscd", "vision's counts"},
            id="vault with a key switch: to a pin, and to no FIDO2 key",
        ),
        pytest.param(
            "renew",
            "",
            {"broker", "listen", "write /etc/doorsill"},
            id="renew: to the fleet, and into one folder",
        ),
        pytest.param("renewed", "", {"systemd"}, id="renewed: systemd alone"),
        pytest.param("pcscd", "", {"systemd"}, id="pcscd: systemd alone"),
        pytest.param(
            "first-boot",
            "",
            {
                "broker",
                "listen",
                "systemd",
                "journal",
                "write /etc/doorsill",
                "write /boot/firmware",
            },
            id="first-boot: to the fleet and systemd, into two folders",
        ),
    ],
)
def test_a_unit_alone_lets_a_process_do(
    ready: Machine, shop: Shop, service: str, named: str, may: set[str]
) -> None:
    """``named``: what its configuration says in [consent] beside the card."""
    if service in (
        "uplink",
        "renew",
        "first-boot",
    ) and "-BPF_FRAMEWORK" in ready.systemctl("--version"):
        may = may | BOUND  # Debian 12's systemd leaves SocketBindDeny= to the process
    text = shop.example()
    shop.configure(
        re.sub(r"(?m)^\[consent\].*$", f"[consent]\n{named}", text), ready.inside("")
    )
    made = ready.inside("run/systemd/generator/doorsill-vault.service.d/devices.conf")
    try:
        assert under_its_unit(ready, service) == may
        assert made.exists() == (named != "")
    finally:
        shop.configure(text, ready.inside(""))
        ready.systemctl("daemon-reload")


@pytest.mark.parametrize("service", ["policy", "vision", "uplink", "vault", "renew"])
def test_control_without_its_unit_every_way_is_open(
    ready: Machine, service: str
) -> None:
    ways = ATTEMPTS | OF_ROOT if service in AS_ROOT else ATTEMPTS
    shut = set(ways) - control(ready, service)
    print(f"as doorsill-{service}, without its unit, shut: {shut or 'nothing'}")
    assert not shut
