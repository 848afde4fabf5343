"""The shipped units under a real systemd, from the first start to the last stop.

The tests are one day of a camera and run in their order: ``make units``.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from doorsill.channels.control import ask
from doorsill.documents import canonical
from doorsill.drivers.token.pcsc_calls import HANGS_S
from doorsill.errors import ConfigError

from .machine import Machine, until
from .shop import Shop

ALL = ("vision", "uplink", "vault")
READY_S = 60.0
STATE_S = 90.0  # a state may change once a minute, see uplink/pace.py
MINUTE_S = 150.0  # a window, the one before it, and its way to the broker
WATCHED_S = 30.0  # WatchdogSec of vision and uplink
RESTART_S = 20.0


def status(machine: Machine) -> dict[str, Any]:
    """What the vault says of itself; nothing while it cannot be asked."""
    try:
        return ask(machine.inside("run/doorsill/vault/vault.sock"), "status")[0]
    except ConfigError:
        return {"state": "", "verified_blank": False}


def until_active(machine: Machine, *services: str, within_s: float = READY_S) -> None:
    for each in services:
        until(
            lambda each=each: (
                machine.show(each, "ActiveState") == "active"
                and machine.show(each, "SubState") == "running"
            ),
            within_s,
            lambda each=each: machine.said(each),
        )


def test_from_the_first_start_to_ready_at_the_broker(
    machine: Machine, shop: Shop
) -> None:
    shop.listen()
    began = time.monotonic()
    said = machine.systemctl("start", "doorsill.target")
    assert said == ""
    until_active(machine, *ALL)
    until(lambda: shop.state() == "ready", STATE_S, lambda: machine.said("uplink"))
    print(f"ready at the broker {time.monotonic() - began:.1f} s after systemctl start")
    assert machine.show("policy", "Result") == "success"


def test_no_process_of_another_machine_is_in_its_cgroups(machine: Machine) -> None:
    """A second run beside this one: its processes would be 0, and waited for."""
    own = os.environ["DOORSILL_CGROUP"]
    assert own, "this kernel has no cgroup2"
    assert own in machine.cgroup().split("/")
    listed = "find /sys/fs/cgroup -name cgroup.procs -exec cat {} +"
    pids = machine.run("sh", "-c", listed).split()
    assert "1" in pids and "0" not in pids


def test_systemd_had_nothing_to_complain_of(machine: Machine) -> None:
    """A setting that this systemd or kernel does not know would be said here."""
    names = ("systemd", "systemd-sysusers", "systemd-tmpfiles", "systemd-udevd")
    asked = [word for name in names for word in ("-t", name)]
    said = machine.journal("-p", "warning", "-g", "doorsill", *asked)
    known = ("No devices matched by device filter", "-- No entries --")
    lines = [x for x in said.splitlines() if not any(each in x for each in known)]
    assert lines == []


def test_a_closed_window_arrives(shop: Shop) -> None:
    window = shop.until_interval(lambda each: True, MINUTE_S)
    print(f"first window: {window['coverage_s']} s covered, {window['quality']}")
    assert window["end"] > window["start"]


def test_no_process_runs_as_root_or_sees_more_of_run_than_it_needs(
    machine: Machine,
) -> None:
    """``incoming`` is an empty folder that systemd puts into each view."""
    own = {"doorsill", "systemd"}
    assert machine.view("vision", "run") == own
    assert machine.view("uplink", "run") == own | {"credentials"}
    assert machine.view("vault", "run") == own | {"credentials", "pcscd", "log"}
    assert machine.view("vault", "run/log") == {"journal"}  # whether there is one
    for each in ALL:
        assert machine.view(each, "run/systemd") == {"notify", "incoming"}
        assert machine.view(each, "run/systemd/incoming") == set()
        assert machine.view(each, "tmp") == set()
        assert "tmp" not in machine.view(each, "var")
        owner = Path(f"/proc/{machine.pid(each)}").stat().st_uid
        assert machine.run("id", "-nu", str(owner)) == f"doorsill-{each}"


def test_a_policy_that_comes_by_air_is_in_force_within_seconds(
    machine: Machine, shop: Shop
) -> None:
    """uplink ─► its file ─► doorsill-policy.path ─► the policy process ─► all three."""
    document = shop.sign(version=2, purpose="by air")
    digest = canonical.digest(canonical.split(document)[0])
    began = time.monotonic()
    shop.push(document)
    until(
        lambda: status(machine).get("policy") == digest,
        READY_S,
        lambda: machine.said("policy") + machine.said("uplink"),
    )
    until_active(machine, *ALL)
    until(lambda: health(shop)["policy"] == digest[:32], READY_S)
    print(
        f"in force in vault and uplink {time.monotonic() - began:.1f} s after the push"
    )
    assert machine.systemctl("is-active", "doorsill-policy.path") == "active"


def test_a_policy_that_is_refused_is_reported_and_changes_nothing(
    machine: Machine, shop: Shop
) -> None:
    before = {each: machine.pid(each) for each in ALL}
    for document, why in (
        (shop.sign(version=1, purpose="older"), "rollback"),
        (shop.sign(version=9, site="elsewhere"), "other_site"),
        (b"rubbish", "signature"),
        (shop.sign(version=9, devices=["cam-99"]), "other_device"),
        (shop.sign(version=9, colour="red"), "incomplete"),
        (shop.sign(version=9, expires="2020-01-01"), "expired"),
    ):
        shop.push(document)
        name = hashlib.sha256(document).hexdigest()[:32]
        until(
            lambda name=name: health(shop)["policy_refused"] == name,
            READY_S,
            lambda: machine.said("policy") + machine.said("uplink"),
        )
        assert health(shop)["policy_why"] == why
    assert {each: machine.pid(each) for each in ALL} == before


def health(shop: Shop) -> dict[str, Any]:
    """The newest that the camera said of itself."""
    return shop.heard("health")[-1]


def test_the_policy_process_reads_what_came_by_air_and_no_more_of_the_uplink(
    machine: Machine,
) -> None:
    """As its user, outside of its unit as well."""
    state = "/var/lib/doorsill"
    as_policy = (
        "setpriv",
        "--reuid=doorsill-policy",
        "--regid=doorsill",
        "--clear-groups",
    )
    read = machine.run(*as_policy, "cat", f"{state}/arrived/policy.json")
    assert read and "denied" not in read
    for name in ("outbox", "outbox/outbox.db"):
        assert "denied" in machine.run(*as_policy, "ls", f"{state}/{name}")
    for user in ("doorsill-policy", "doorsill-vision", "doorsill-vault"):
        word = machine.run(
            "setpriv", f"--reuid={user}", "--regid=doorsill", "--clear-groups",
            "touch", f"{state}/arrived/policy.json.new",
        )  # fmt: skip
        assert "denied" in word


def test_what_they_use_of_memory(machine: Machine) -> None:
    for each in ALL:
        text = Path(f"/proc/{machine.pid(each)}/status").read_text()
        peak = int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0]) / 1024
        most = int(machine.show(each, "MemoryMax")) / 2**20
        print(f"{each}: {peak:.0f} MB at most, MemoryMax {most:.0f} MB")
        assert peak < most


def test_card_in_the_vault_opens_card_out_it_is_blank(
    machine: Machine, shop: Shop
) -> None:
    until(
        lambda: status(machine)["verified_blank"],
        READY_S,
        lambda: machine.said("vault"),
    )
    began = time.monotonic()
    shop.insert()
    until(
        lambda: status(machine)["state"] == "open",
        READY_S,
        lambda: machine.said("vault"),
    )
    print(f"vault open {time.monotonic() - began:.1f} s after the card")
    began = time.monotonic()
    shop.pull()
    until(
        lambda: status(machine)["verified_blank"],
        READY_S,
        lambda: machine.said("vault"),
    )
    print(f"blank (verified) {time.monotonic() - began:.1f} s after the card went")
    # A card that goes in the middle of an answer is heard of as its error.
    assert status(machine)["last_reason"] in ("removed", "card-error")


def test_control_without_our_polkit_rule_pcscd_refuses_the_vault(
    machine: Machine, shop: Shop
) -> None:
    rule = machine.inside("usr/share/polkit-1/rules.d/50-doorsill-pcsc.rules")
    text = rule.read_bytes()
    rule.unlink()
    # One after the other: who is let in by a polkit that goes is not asked again.
    for each in ("polkit", "pcscd", "doorsill-vault"):
        machine.systemctl("restart", each)
    shop.insert()
    refused = "polkit refuses it"
    until(
        lambda: refused in machine.said("vault"),
        READY_S,
        lambda: machine.said("vault") + machine.journal("-u", "pcscd", "-u", "polkit"),
    )
    assert status(machine)["state"] == "blank"
    rule.write_bytes(text)
    shop.pull()
    machine.systemctl("restart", "polkit", "pcscd", "doorsill-vault")
    until_active(machine, "vault")


def test_udev_takes_our_rules(machine: Machine) -> None:
    said = machine.run("udevadm", "verify", "/usr/lib/udev/rules.d/70-doorsill.rules")
    known = "Success: 1" in said or "Unknown" in said  # systemd 252 has no such word
    assert known, said


@pytest.fixture(scope="module")
def hung() -> dict[str, tuple[float, float]]:
    """When a process of each unit hung, and when the next one was at work: UTC, s."""
    return {}


@pytest.mark.parametrize("service", ["vision", "uplink"])
def test_a_process_that_hangs_is_restarted(
    machine: Machine, hung: dict[str, tuple[float, float]], service: str
) -> None:
    before, began = machine.pid(service), time.time()
    machine.systemctl("kill", "--signal=SIGSTOP", f"doorsill-{service}")
    most = WATCHED_S + RESTART_S
    until(lambda: machine.pid(service) not in (0, before), most, "a new process")
    until_active(machine, service)
    assert "Watchdog timeout" in machine.journal("-u", f"doorsill-{service}")
    hung[service] = began, time.time()
    print(f"{service} hung: a new one at work {time.time() - began:.1f} s later")


def test_the_window_in_which_vision_hung_says_gap_and_none_is_lost(
    shop: Shop, hung: dict[str, tuple[float, float]]
) -> None:
    (began, ended), (_, last) = hung["vision"], hung["uplink"]
    shop.until_interval(lambda each: last < each["end"], MINUTE_S)
    told = sorted(shop.heard("interval"), key=lambda each: int(each["start"]))
    hit = [each for each in told if began < each["end"] and each["start"] < ended]
    for each in hit:
        length = each["end"] - each["start"]
        print(f"of {length} s {each['coverage_s']} are covered: {each['quality']}")
        lost = min(each["end"], ended) - max(each["start"], began)
        assert each["coverage_s"] <= length - lost + 2
        assert "gap" in each["quality"]
    starts = [int(each["start"]) for each in told]
    assert starts == list(range(starts[0], starts[-1] + 1, 60))


def test_a_vault_that_hangs_is_restarted_and_blank(
    machine: Machine, shop: Shop
) -> None:
    """Its three minutes are made ten seconds, and no more is changed."""
    machine.drop_in("vault", "[Service]\nWatchdogSec=10\n")
    machine.systemctl("restart", "doorsill-vault")
    until_active(machine, "vault")
    shop.insert()
    until(
        lambda: status(machine)["state"] == "open",
        READY_S,
        lambda: machine.said("vault"),
    )
    before = machine.pid("vault")
    machine.systemctl("kill", "--signal=SIGSTOP", "doorsill-vault")
    shop.pull()
    until(lambda: machine.pid("vault") not in (0, before), 10 + RESTART_S, "restart")
    until(
        lambda: status(machine)["verified_blank"],
        READY_S,
        lambda: machine.said("vault"),
    )
    machine.drop_in("vault", "")


def test_a_pcscd_that_hangs_is_ended_and_another_one_serves_the_card(
    machine: Machine, shop: Shop
) -> None:
    """The vault says so, and systemd ends it: the vault itself may end nobody."""

    def words() -> str:
        return machine.said("vault") + machine.journal("-u", "pcscd", "-n", "20")

    def of_pcscd() -> str:
        return machine.systemctl("show", "--value", "-p", "MainPID", "pcscd").strip()

    def is_in() -> bool:
        try:
            shop.insert()
        except ConnectionRefusedError:  # pcscd has no reader yet
            return False
        return True

    def opens() -> None:
        until(is_in, READY_S, words)
        until(lambda: status(machine)["state"] == "open", READY_S, words)

    opens()
    before, began = of_pcscd(), time.monotonic()
    machine.systemctl("kill", "--signal=SIGSTOP", "pcscd")
    until(lambda: of_pcscd() not in ("0", before), HANGS_S + READY_S, words)
    print(f"another pcscd {time.monotonic() - began:.1f} s after it hung")
    assert "Finished doorsill-pcscd.service" in machine.said("pcscd")
    shop.pull()
    opens()
    shop.pull()


@pytest.mark.parametrize(
    ("service", "code", "restarted"),
    [
        pytest.param("vision", 1, True, id="vision: a fault of ours"),
        pytest.param("vision", 2, False, id="vision: wrong configuration"),
        pytest.param("vision", 3, False, id="vision: not to be trusted"),
        pytest.param("vision", 4, True, id="vision: the camera"),
        pytest.param("uplink", 2, False, id="uplink: wrong configuration"),
        pytest.param("uplink", 5, True, id="uplink: broker or link"),
        pytest.param("vault", 3, False, id="vault: not to be trusted"),
        pytest.param("vault", 1, True, id="vault: a fault of ours"),
    ],
)
def test_what_is_restarted(
    machine: Machine, service: str, code: int, restarted: bool
) -> None:
    unit = f"doorsill-{service}"
    machine.systemctl("stop", unit)
    machine.drop_in(
        service, f"[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit {code}'\n"
    )
    machine.systemctl("start", "--no-block", unit)
    if restarted:
        again = 2
        until(lambda: int(machine.show(service, "NRestarts")) >= again, RESTART_S, "")
    else:
        until(lambda: machine.show(service, "ActiveState") == "failed", RESTART_S, "")
        assert machine.show(service, "NRestarts") == "0"
    machine.systemctl("stop", unit)
    machine.drop_in(service, "")
    machine.systemctl("reset-failed", unit)


def test_a_wrong_configuration_ends_once_and_says_why(
    machine: Machine, shop: Shop
) -> None:
    root = machine.inside("")
    machine.systemctl("stop", *(f"doorsill-{each}" for each in ALL))
    shop.configure(shop.example().replace("frame_rate", "frame_rat"), root)
    machine.systemctl("start", "--no-block", "doorsill.target")
    for each in ALL:
        until(lambda each=each: machine.show(each, "ActiveState") == "failed", 30, each)
        assert machine.show(each, "ExecMainStatus") == "2"
        assert machine.show(each, "NRestarts") == "0"
        assert "did you mean frame_rate?" in machine.said(each)
    shop.configure(shop.example(), root)
    machine.systemctl("start", "doorsill.target")
    until_active(machine, *ALL)
    until(lambda: shop.state() == "ready", STATE_S, lambda: machine.said("uplink"))


def test_vision_stopped_and_started_is_found_again_by_uplink(machine: Machine) -> None:
    """Its folder is bound into the others' view: it must be the same one afterwards."""

    def silent_s() -> float:
        """How long uplink has heard nothing of vision."""
        socket = machine.inside("var/lib/doorsill/outbox/uplink.sock")
        return float(ask(socket, "status")[0]["vision"]["heard_s"])

    machine.systemctl("stop", "doorsill-vision")
    until(lambda: silent_s() > 5, READY_S, "vision is away")
    machine.systemctl("start", "doorsill-vision")
    until(lambda: silent_s() < 3, READY_S, lambda: machine.said("uplink"))


def test_a_clean_stop(machine: Machine, shop: Shop) -> None:
    # Who is not connected at the end cannot say goodbye: the will stays.
    away = ("lost", "disconnected", "")
    until(lambda: shop.state() not in away, STATE_S, lambda: machine.said("uplink"))
    began = time.monotonic()
    machine.systemctl("stop", "doorsill.target")
    for each in ALL:
        until(
            lambda each=each: machine.show(each, "ActiveState") == "inactive",
            READY_S,
            lambda each=each: machine.said(each),
        )
        assert machine.show(each, "Result") == "success", machine.said(each)
        assert machine.pid(each) == 0
    until(lambda: shop.state() == "disconnected", STATE_S, shop.state())
    print(f"stopped {time.monotonic() - began:.1f} s after systemctl stop")
