"""The README's page "In a store", typed as it stands into a fresh Debian, and what the
packages do afterwards: an upgrade, a removal, a purge. ``make try-deb``.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Listener
from units.machine import until

from doorsill.uplink.tls import Address
from doorsill_fleet.stage.consent import ConsentStage

from .camera import Camera
from .page import README, Step, missing, steps

STEPS = steps(README.read_text("utf-8"))
COMMANDS_MOST, SECONDS_MOST = 10, 600
INTERVAL_S = 100.0  # a window closes on the minute, and goes out ten seconds later
READY_S = 90.0
# What this machine has not: a camera. A package's name says for which Debian it is.
INSTEAD = (("--camera picamera", "--camera street"),)
DEBIANS = re.compile(r"\+deb1[23]_")
KEPT = "/etc/doorsill", "/var/lib/doorsill/policy"


@pytest.fixture(scope="module")
def heard(camera: Camera) -> Iterator[Listener]:
    """A reader at the broker, with the certificate that the office made for it."""
    home = camera.inside("root/stores")
    names = [home / each for each in ("reader-store.pem", "reader-store.key")]
    address = Address("store", "broker.porto-1.example", 8883, home / "ca.pem", *names)
    found = Listener(address, "doorsill/porto-1/#")
    yield found
    found.close()


def as_here(camera: Camera, command: str) -> str:
    """The command with what is of this machine: its camera, its Debian."""
    for written, here in INSTEAD:
        command = command.replace(written, here)
    (package,) = camera.inside("root").glob("doorsill_*.deb")
    debian = package.name.split("+")[1].split("_")[0]
    return DEBIANS.sub(f"+{debian}_", command)


def state(heard: Listener) -> str:
    said = heard.on("/state")
    return str(json.loads(said[-1])["state"]) if said else ""


def test_ten_commands_from_a_fresh_debian_to_a_camera_that_counts(
    camera: Camera,
) -> None:
    assert 1 < len(STEPS) <= COMMANDS_MOST
    began = time.monotonic()
    for step in STEPS:
        type_as_written(camera, step)
    took = time.monotonic() - began
    print(f"{took:6.1f} s  {len(STEPS)} commands")
    assert took < SECONDS_MOST


def type_as_written(camera: Camera, step: Step) -> None:
    command, since = as_here(camera, step.command), time.monotonic()
    if command == "doorsill status":  # a person takes a breath before it
        until(lambda: missing(step, camera.type(command)[1]) == [], READY_S)
    code, said = camera.type(command)
    print(f"{time.monotonic() - since:6.1f} s  {command}")
    assert code == 0, f"{command}\n{said}"
    assert missing(step, said) == [], f"{command}\n{said}"
    if command.startswith("apt"):
        nothing_runs(camera)


def nothing_runs(camera: Camera) -> None:
    """A first installation enables and starts nothing that cannot run."""
    assert camera.systemctl("is-enabled", "doorsill.target") == "disabled"
    assert camera.processes_of_ours() == []
    assert camera.files("/etc/doorsill") == {}


def test_a_count_arrives_at_the_receiver_of_the_office(camera: Camera) -> None:
    """With the files that the office made for it, as it stands in stores."""
    receive = "doorsill-fleet receive --broker broker.porto-1.example"
    line = f"cd stores && {receive} --csv visitors.csv --seconds {INTERVAL_S:.0f}"
    code, said = camera.type(line)
    assert code == 0, said
    with camera.inside("root/stores/visitors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows and {(row["site"], row["device"]) for row in rows} == {
        ("porto-1", "cam-01")
    }, said


def test_the_camera_is_ready_at_the_broker(heard: Listener) -> None:
    until(lambda: state(heard) == "ready", READY_S, "ready at the broker")


def test_the_manual_page_and_the_list_of_files_are_there(camera: Camera) -> None:
    for name, words in (("doorsill", "ON A CAMERA"), ("doorsill-fleet", "receive")):
        code, said = camera.type(f"man --pager=cat {name}")
        assert code == 0 and words in said
        completion = f"/usr/share/bash-completion/completions/{name}"
        assert camera.type(f"bash -c '. {completion} && complete -p {name}'")[0] == 0
    assert camera.type("dpkg --verify doorsill doorsill-fleet") == (0, "")


def test_an_upgrade_starts_again_what_ran_and_keeps_what_is_the_shops(
    camera: Camera, heard: Listener
) -> None:
    kept = {each: camera.files(each) for each in KEPT}
    outbox = set(camera.files("/var/lib/doorsill/outbox"))
    before = {each: camera.pid(each) for each in ("vision", "uplink")}
    code, said = camera.type("apt install -y --reinstall ./doorsill_*.deb")
    assert code == 0, said
    assert "nothing is started" not in said
    until(lambda: camera.pid("vision") and camera.pid("uplink"), READY_S)
    assert all(camera.pid(each) != pid for each, pid in before.items())
    assert {each: camera.files(each) for each in KEPT} == kept
    assert outbox <= set(camera.files("/var/lib/doorsill/outbox")) | {"uplink.sock"}
    until(lambda: state(heard) == "ready", READY_S, "ready again")


def test_a_removal_is_refused_where_the_vault_cannot_be_blanked(
    camera: Camera, tmp_path: Path
) -> None:
    (camera.etc / "consent-ca.pem").write_bytes(
        ConsentStage(tmp_path, "porto-1").ca_pem
    )
    text = (camera.etc / "doorsill.toml").read_text()
    with_vault = f'{text}\n[consent]\nca = "consent-ca.pem"\n'
    (camera.etc / "doorsill.toml").write_text(with_vault)
    key = (camera.etc / "device.key").read_bytes()
    (camera.etc / "device.key").write_bytes(b"broken")
    camera.systemctl("stop", "doorsill-vault")
    code, said = camera.type("apt remove -y doorsill")
    assert code != 0 and "NOT REMOVED" in said and "device.key" in said
    assert camera.inside("opt/doorsill/bin/doorsill").exists()
    (camera.etc / "device.key").write_bytes(key)


def test_a_removal_blanks_the_vault_first_and_keeps_its_certificate(
    camera: Camera,
) -> None:
    camera.systemctl("start", "doorsill-vault")
    until(lambda: camera.pid("vault"), READY_S, lambda: camera.said("vault"))
    code, said = camera.type("apt remove -y doorsill")
    assert code == 0, said
    print(said)
    named = re.findall(r"BLANK \(verified\); certificate (\S+)", said)
    certificates = camera.files("/var/lib/doorsill/vault/certificates")
    assert named and set(named) <= set(certificates)
    assert camera.processes_of_ours() == []
    assert not camera.inside("opt/doorsill").exists()
    assert camera.files("/etc/doorsill").keys() >= {"device.key", "doorsill.toml"}
    wants = camera.inside("etc/systemd/system/multi-user.target.wants")
    assert not (wants / "doorsill.target").is_symlink()


def test_a_vault_that_hangs_is_ended_and_then_blanked(camera: Camera) -> None:
    code, said = camera.type("apt install -y ./doorsill_*.deb")
    assert code == 0, said
    camera.systemctl("start", "doorsill-vault")
    until(lambda: camera.pid("vault"), READY_S, lambda: camera.said("vault"))
    os.kill(camera.pid("vault"), signal.SIGSTOP)
    code, said = camera.type("apt remove -y doorsill")
    assert code == 0, said
    assert "another vault is at work" in said and "BLANK (verified)" in said
    assert camera.processes_of_ours() == []


def test_the_certificate_of_the_removal_verifies(
    camera: Camera, tmp_path: Path
) -> None:
    from doorsill.cli import main

    for name, data in camera.files("/var/lib/doorsill/vault/certificates").items():
        (tmp_path / name).write_bytes(data)
    ca = camera.inside("root/stores/ca.pem")
    assert main.run(["verify", str(tmp_path), "--ca", str(ca)]) in (0, 1)


def test_a_purge_removes_what_the_shop_made(camera: Camera) -> None:
    code, said = camera.type("apt purge -y doorsill")
    assert code == 0, said
    assert camera.files("/etc/doorsill") == camera.files("/var/lib/doorsill") == {}


def test_it_can_be_installed_again(camera: Camera) -> None:
    code, said = camera.type("apt install -y ./doorsill_*.deb && doorsill --version")
    assert code == 0 and re.search(r"(?m)^doorsill 0\.1\.0 \(", said), said
    nothing_runs(camera)
