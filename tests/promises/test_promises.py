"""Each line of the promises, and the test that would break with it.

The sentences are the README's. A promise that is kept by a part has its many cases in
that part's tests; here it is shown whole, once, from outside.
"""

from __future__ import annotations

import ast
import json
import math
import os
import random
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from broker import SITE, Listener, Site, device
from by_air import office
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import Template
from kills import Camera, database, run
from limits import PROGRAM_S, wait_until
from messages import EVERY, line
from places import ROOT
from vault_process import VaultProcess

from doorsill.cells import Age, LooksCell, Picture, Quality
from doorsill.cli import main
from doorsill.consent.reasons import WORDS, Reason
from doorsill.documents import canonical
from doorsill.errors import ConfigError, UntrustedError
from doorsill.models.manifest import load_manifest, manifests, verified_model
from doorsill.models.said import BANDS
from doorsill.policy import acceptance, document
from doorsill.policy.notice import notice_text
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import SLOT_S
from doorsill.privacy.threshold import Histogram, Pending, add
from doorsill.services.children import children, names_of, prepare
from doorsill.services.policies import store_of
from doorsill.uplink import capacity
from doorsill.uplink.answers import Answered, Arrived
from doorsill.uplink.attributes import AttributeRules, ReportContext, consider
from doorsill.uplink.pace import Pace
from doorsill.uplink.pieces import Places
from doorsill.uplink.reports import Release
from doorsill.uplink.retained import state_of
from doorsill.uplink.sight import Sight
from doorsill.uplink.standing import Device, Facts, flag_fault, problems_of
from doorsill.values import Detections
from doorsill.vision.attributes.tracks import is_allowed
from doorsill.vision.count.line import LineCounter
from doorsill.vision.follow.tracker import Tracker
from doorsill.wire.codec import decode, encode
from doorsill.wire.discovery import describe
from doorsill.wire.guard import RATES, EgressGuard, Outgoing
from doorsill.wire.messages import Attributes, stream_of
from doorsill.wire.rules import fields_of
from doorsill_fleet.broker.mosquitto import client_context, running_broker
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.stage.shop import Stage

FIRMWARE = ROOT / "firmware" / "doorsill"
RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)


# P1


def test_only_counts_leave_the_camera_no_message_can_carry_an_image() -> None:
    """Nor an embedding, a box, a track id or free text: there is no room for them."""
    picture = random.Random(7).randbytes(1024)
    guard = EgressGuard(SITE, "cam-01", b"{}")
    for stream in RATES:
        for size in (16, 64, 512, 1024):
            with pytest.raises(UntrustedError):
                guard.check(stream, picture[:size], 0.0)
    for message in EVERY:
        bits = sum(rule.bits for _, _, rule in fields_of(type(message)))
        if stream_of(message) == "certificate":  # hashes and a signature of the vault
            bits = capacity.one_certificate_bits()  # what vision can change in it
        assert bits < 128 * 8
        assert guard.check(stream_of(message), encode(message), 0.0)
    with pytest.raises(UntrustedError, match="only the egress guard"):
        Outgoing("doorsill/x", picture, False, None)


def test_what_a_taken_over_vision_gets_out_is_at_most_50_bits_a_place_and_minute() -> (
    None
):
    """``test_capacity`` lets a hostile vision try, with the real uplink and broker."""
    for place in ("line", "zone"):
        assert capacity.bits_of(place, Pace()) <= 50
    assert capacity.table() in (ROOT / "SECURITY.md").read_text()
    assert Pace().minute_s <= document.LIVE_SECONDS  # unless the policy asks for more


def imports(path: Path) -> Iterator[str]:
    """What a file imports, with what it takes from it: ``doorsill.models.fetch``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{each.name}" for each in node.names)


def test_only_the_publisher_can_put_a_byte_on_the_network() -> None:
    """By the imports: TLS and MQTT come into two files of what runs at a door.

    ``models fetch``, ``check --connect`` and ``enrol`` are commands that a person
    gives, first boot enrols once before anything counts (and reads there which ports it
    has to reach); none of our processes at a door loads them.
    """
    commands = {
        "models/fetch.py": ["cli/models.py"],
        "cli/check_connect.py": ["cli/check.py"],
        "enrolment/fleet_server.py": ["enrolment/joining.py", "enrolment/renewing.py"],
    }
    enrolment = {"doorsill.enrolment.joining", "doorsill.enrolment.renewing"}
    imported = {
        path.relative_to(FIRMWARE).as_posix(): set(imports(path))
        for path in FIRMWARE.rglob("*.py")
    }
    found = {
        place
        for place, names in imported.items()
        if {each.split(".")[0] for each in names} & {"paho", "ssl", "http"}
    }
    assert found - commands.keys() == {"uplink/paho_client.py", "uplink/tls.py"}
    for command, users in commands.items():
        name = f"doorsill.{command.removesuffix('.py').replace('/', '.')}"
        assert users_of({name}, imported) == users
    room = [
        "cli/enrol.py",
        "enrolment/again.py",
        "enrolment/first_steps.py",
        "enrolment/renewing.py",
        "services/first_boot.py",
        "services/first_boot_ports.py",
    ]
    assert users_of(enrolment, imported) == room


def users_of(modules: set[str], imported: dict[str, set[str]]) -> list[str]:
    """The files that import one of ``modules``, or a name of one."""
    return sorted(
        place
        for place, names in imported.items()
        if any(f"{each}.".startswith(f"{name}.") for each in names for name in modules)
    )


# P2


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Vision and uplink as they run at a door, by their process ids."""
    folder = tmp_path_factory.mktemp("p2")
    stage = Stage(folder, (((0.0, 0.6), (1.0, 0.6)),))
    config = stage.set()
    with running_broker(stage.broker):
        prepare(config)
        names = names_of(config)
        assert names == ("vision", "uplink")
        with children(stage.configuration, names) as found:
            pids = {name: child.pid for name, child in found.items()}
            for pid in pids.values():
                wait_until(lambda pid=pid: "Seccomp:\t2" in proc(pid, "status"))
            yield pids


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(errors="replace")


def look_inside(pid: int) -> None:
    """Nobody may look into such a process but root: others see that, and no more."""
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            proc(pid, "maps")
        with pytest.raises(PermissionError):
            list(Path(f"/proc/{pid}/fd").iterdir())
        assert proc(os.getpid(), "maps")  # the control: into our own we may
        pytest.skip("the process lets nobody but root look into it, and it is so")


def handles(pid: int) -> set[str]:
    """What a process holds open; what it closes meanwhile is not."""
    found = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(handle.readlink()))
    assert found
    return found


def open_for_writing(pid: int) -> set[str]:
    """Files on a disk that a process holds open for writing."""
    found = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        if handle.name in {"0", "1", "2"}:
            continue  # what its supervisor gave it
        try:
            target, told = str(handle.readlink()), proc(pid, f"fdinfo/{handle.name}")
        except FileNotFoundError:
            continue  # closed meanwhile
        flags = int(told.split("flags:")[1].split()[0], 8)
        if flags & 3 and target.startswith("/") and not target.startswith("/dev/"):
            found.add(target)
    return found


def test_the_process_that_sees_pixels_has_no_network_and_no_writable_disk(
    running: dict[str, int],
) -> None:
    """``test_confine`` tries all ways out; this is the process of the product."""
    pid = running["vision"]
    assert "NoNewPrivs:\t1" in proc(pid, "status")
    assert "Seccomp:\t2" in proc(pid, "status")
    look_inside(pid)
    sockets = {each for each in handles(pid) if each.startswith("socket:")}
    local = {f"socket:[{row.split()[6]}]" for row in proc(pid, "net/unix").splitlines()}
    assert sockets <= local
    assert open_for_writing(pid) == set()


def test_the_process_with_the_network_has_no_camera(running: dict[str, int]) -> None:
    pid = running["uplink"]
    assert "NoNewPrivs:\t1" in proc(pid, "status")
    look_inside(pid)
    cameras = ("/dev/video", "/dev/med")
    assert not [each for each in handles(pid) if each.startswith(cameras)]
    loaded = proc(pid, "maps")
    for library in ("numpy", "/av/", "ai_edge_litert", "libcamera"):
        assert library not in loaded
    assert all("/outbox/" in each for each in open_for_writing(pid))


def test_negative_control_the_process_that_sees_loads_what_sees(
    running: dict[str, int],
) -> None:
    """It loads its model after it has confined itself, so this may take a moment."""
    look_inside(running["vision"])
    wait_until(lambda: "ai_edge_litert" in proc(running["vision"], "maps"))
    assert "numpy" in proc(running["vision"], "maps")


# P3, P4, P5, P6


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    """The vault process with the real card stack, started, no card in the reader."""
    with VaultProcess(tmp_path_factory.mktemp("v")) as found:
        found.start()
        yield found


def test_no_raw_face_is_stored_unless_a_token_answers_a_fresh_challenge(
    vault: VaultProcess,
) -> None:
    assert [vault.offer() for _ in range(20)] == [0] * 20
    assert vault.status()["sealed"] == 0
    vault.stage.insert()
    vault.until_open()
    vault.fill(3)
    vault.stage.pull()
    vault.until_blank()


def test_when_the_token_goes_storing_stops_the_key_is_destroyed_the_medium_is_blank(
    vault: VaultProcess,
) -> None:
    """The latencies, over a hundred pulls, are a bench: ``make bench``."""
    assert (
        vault.until_shut(vault.stage.pull).after <= 1.5
    )  # also where the reader hangs
    assert vault.offer() == 0
    status = vault.status()
    assert (status["state"], status["sealed"]) == ("blank", 0)
    assert status["verified_blank"]
    last = vault.chain()[-1].body
    # Pulled while it was answering, the card's last word is an error.
    assert last["reason"] in ("removed", "card-error")
    if last["reason"] == "removed":
        assert status["shut_after_us"][0] <= 100_000
    assert last["key"]["destroyed"] and last["read_back"]["blank"]
    assert last["leases"][0]["sealed"] >= 1


def test_every_blanking_leaves_a_chained_certificate_that_is_checked_offline(
    vault: VaultProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(vault.chain())
    vault.stage.insert()
    vault.until_open()
    vault.stage.pull()
    vault.until_blank()
    assert len(vault.chain()) == before + 1
    ca = tmp_path / "ca.pem"
    ca.write_bytes(vault.ca.public_bytes(serialization.Encoding.PEM))
    folder = tmp_path / "certificates"
    shutil.copytree(vault.config.certificates, folder)
    command = ["verify", str(folder), "--ca", str(ca), "--quiet"]
    # 1 is "verified, with reservations": this machine has swap, or a journal on a disk.
    assert main.run(command) in (0, 1)
    assert f"verified: certificates 1 to {before + 1} of" in capsys.readouterr().out
    forged = sorted(folder.glob("0*.json"))[-1]
    forged.write_bytes(forged.read_bytes().replace(b"true", b"null", 1) + b" ")
    assert main.run(command) == 3


def test_if_anything_in_the_consent_path_fails_the_answer_is_blank(
    vault: VaultProcess,
) -> None:
    """Thirty faults and more are in ``test_faults`` and ``test_keeper``."""
    stranger = vault.stage.new_card(site="another-shop")
    vault.stage.insert(stranger)
    wait_until(lambda: vault.offer() == 0 and vault.status()["verified_blank"])
    vault.stage.pull()
    vault.stage.insert()
    vault.until_open()
    assert vault.process is not None
    vault.process.kill()
    wait_until(lambda: vault.offer() == 0)
    assert vault.offer() == 0


# P7


def spans(people: list[int]) -> list[LooksCell]:
    """What vision hands over where so many are looked at in each slot."""
    pending, found = Pending(), []
    for slot, looked_at in enumerate(people):
        start = 20_000 * 86_400 + slot * SLOT_S
        looks = Histogram(start, start + 60, (0, looked_at, 0), (looked_at, 0, 0))
        pending, span = add(pending, looks, 1)
        if span is not None:
            cell = LooksCell(0, span.start, span.end, span.ages, span.expressions)
            found.append(cell)
    return found


def reported(people: list[int]) -> list[Attributes]:
    """What leaves: in each slot two more came in than were looked at."""
    rules = AttributeRules(attributes=True, k=1, daily_micro=10**9, places=Places(1, 0))
    ledger, found = Ledger(0, 0), []
    for cell in spans(people):
        slots = range((cell.start // SLOT_S) % 8, (cell.end - 1) // SLOT_S % 8 + 1)
        came_in = sum(people[slot] + 2 for slot in slots)
        done = consider(
            cell, came_in, rules, ledger, ReportContext(RELEASE, secrets.randbelow)
        )
        ledger = done.ledger
        assert done.report is not None
        message = decode("attributes", done.report.payload)
        assert isinstance(message, Attributes)
        found.append(message)
    assert ledger.spent_micro == 50_000 * len(found) <= 2_000_000
    return found


@pytest.mark.parametrize(
    ("people", "reports"),
    [
        pytest.param([9, 0], [], id="nine are never reported"),
        pytest.param([10, 0], [12], id="ten are, with those not looked at as unknown"),
        pytest.param(
            [4, 5, 3, 0], [18], id="few are reported together with later ones"
        ),
        pytest.param(
            [500, 500, 0], [502, 502], id="many are reported in disjoint spans"
        ),
    ],
)
def test_age_and_expression_are_told_of_ten_crossings_or_more_with_noise_from_a_budget(
    people: list[int], reports: list[int]
) -> None:
    messages = reported(people)
    assert all(each.k == 10 for each in messages)
    assert [each.people for each in messages] == reports


def test_two_reports_of_the_same_people_differ_by_their_noise() -> None:
    told = {
        tuple(getattr(reported([100, 0])[0], f"age_{age.name.lower()}") for age in Age)
        for _ in range(5)
    }
    assert len(told) == 5


# P11


def test_nothing_is_lost_a_crash_loses_no_closed_window(
    own_site: Site, tmp_path: Path
) -> None:
    with database(own_site, tmp_path) as (store, subscriber):
        camera = Camera(own_site, tmp_path / "cam", "cam-01")
        outcome = run(camera, store, subscriber, kills=1, seed=11)
    assert (outcome.lost, outcome.invented) == (0, 0)


# P12


def test_a_stranger_gets_nothing(site: Site) -> None:
    """No certificate, a certificate of another CA, an older TLS, no TLS at all."""
    theirs = site.address("cam-90", Authority.create("theirs", datetime.now(UTC)))
    ours = site.address("cam-91")
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(ours.ca)
    older = client_context(ours.ca, ours.certificate, ours.key)
    older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_2
    stranger = client_context(theirs.ca, theirs.certificate, theirs.key)
    for context in (nobody, older, stranger, None):
        assert greeting(site, context)[:1] != b"\x20"
    friend = client_context(ours.ca, ours.certificate, ours.key)
    assert greeting(site, friend)[:1] == b"\x20"  # negative control: a CONNACK


def greeting(site: Site, context: ssl.SSLContext | None) -> bytes:
    """What the broker answers to an MQTT 5 CONNECT, nothing if it hangs up."""
    try:
        with socket.create_connection(("127.0.0.1", site.broker.port), 5) as plain:
            link = (
                plain
                if context is None
                else context.wrap_socket(plain, server_hostname="localhost")
            )
            with link:
                link.sendall(
                    bytes.fromhex("101300044d5154540502003c00000663616d2d3931")
                )
                return link.recv(4)
    except OSError:
        return b""


def test_a_device_can_write_only_its_own_topics_and_read_no_others(
    site: Site, tmp_path: Path
) -> None:
    """Its own policy comes to it; another device, which asks for all, hears nothing."""
    camera = device(site.address("cam-92")).connect()
    as_other = EgressGuard(SITE, "cam-93")
    with (
        closing(Listener(site.address("store"), f"doorsill/{SITE}/#")) as store,
        closing(Listener(site.address("cam-94"), "#")) as nosy,
    ):
        camera.publisher.send(as_other.check("interval", encode(line(60)), 0.0), 1)
        camera.publisher.send(camera.guard.check("interval", encode(line(0)), 0.0), 2)
        camera.wait(lambda: len(camera.heard(Answered)) == 2)
        wait_until(lambda: any("/cam-92/" in topic for topic, _, _ in store.messages))
        assert [event.accepted for event in camera.heard(Answered)] == [False, True]
        assert not any("/cam-93/" in topic for topic, _, _ in store.messages)
        with office(site.broker, tmp_path) as head:
            head.push("cam-92", b"a policy")
            camera.wait(lambda: camera.heard(Arrived) == [Arrived(b"a policy")])
            head.push("cam-92", b"")
        assert nosy.messages == []
    camera.publisher.stop()


# P8


def test_attributes_stay_off_until_a_notice_is_in_the_signed_policy() -> None:
    with pytest.raises(ConfigError, match=r"needs policy\.notice"):
        document.parse(body(attributes=True))
    told = document.parse(body(attributes=True, notice="sign-7"))
    assert is_allowed(told)
    assert not is_allowed(document.parse(body(notice="sign-7")))


def test_the_device_prints_the_sign_that_has_to_hang_at_the_door() -> None:
    sign = notice_text(document.parse(body(attributes=True, notice="sign-7")))
    for wanted in ("sign-7", "A shop", "count visitors", "age"):
        assert wanted in sign


@pytest.mark.alone
def test_the_sign_says_nothing_that_the_device_does_not_do(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A sign that speaks of a lamp: without one no card opens; the card is good."""
    with VaultProcess(tmp_path_factory.mktemp("v")) as vault:
        vault.start()
        consent = {**vault.stage.policy, "lamp": True}
        signed = vault.site.policy_body() | {"version": 2, "consent": consent}
        store_of(vault.config).apply(canonical.seal(signed, vault.site.controller))
        assert "the consent lamp is on" in " ".join(
            notice_text(document.parse(signed)).split()
        )
        began = time.monotonic()
        vault.until(lambda: vault.status().get("policy") == canonical.digest(signed))
        assert time.monotonic() - began < 2.0  # obeyed; the others in test_run
        vault.stage.insert()
        vault.until(lambda: vault.status()["last_card"] == WORDS[Reason.LAMP])
        assert vault.offer() == 0 and vault.status()["sessions"] == 0
        signed = signed | {"version": 3, "consent": {**consent, "lamp": False}}
        assert "no lamp shows it" in notice_text(document.parse(signed))
        store_of(vault.config).apply(canonical.seal(signed, vault.site.controller))
        vault.until_open()  # negative control


# P9


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"k": 2}, "k = 2 is below the minimum of 10", id="k"),
        pytest.param({"epsilon_per_day": 9.0}, "above the maximum of 2", id="epsilon"),
    ],
)
def test_privacy_floors_are_constants_that_no_file_can_lower(
    change: dict[str, object], sentence: str
) -> None:
    signed = canonical.seal(body(**change), CONTROLLER)
    with pytest.raises(ConfigError, match=sentence):
        acceptance.accept(None, signed, CONTROLLER.public_key(), HERE, NOW)


def test_a_device_does_only_what_its_signed_policy_allows() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(UntrustedError):
        signed = canonical.seal(body(), stranger)
        acceptance.accept(None, signed, CONTROLLER.public_key(), HERE, NOW)
    signed = canonical.seal(body(), CONTROLLER)
    found = acceptance.accept(None, signed, CONTROLLER.public_key(), HERE, NOW)
    assert (found.attributes, found.consent) == (False, None)
    for elsewhere in (replace(HERE, site="braga"), replace(HERE, device="cam-02")):
        signed = canonical.seal(body(devices=["cam-01"]), CONTROLLER)
        with pytest.raises(UntrustedError, match="the policy is for"):
            acceptance.accept(None, signed, CONTROLLER.public_key(), elsewhere, NOW)


# P10


def test_no_identification_no_embedding_no_template_no_reidentification() -> None:
    assert set(BANDS) == {"age", "expression"}
    for path in manifests():
        manifest = load_manifest(path)
        outputs = sum(math.prod(tensor.shape[1:]) for tensor in manifest.outputs)
        if manifest.kind == "attributes":
            assert outputs == 6  # four labels of age, two of expression, and no more


def test_track_ids_are_random_in_memory_and_gone_when_the_track_ends() -> None:
    def walk() -> tuple[set[int], int]:
        tracker, counter = Tracker(), LineCounter([((0.5, 0.0), (0.5, 1.0))])
        ids: set[int] = set()
        for step in range(150):
            x = 0.2 + 0.01 * step if step < 60 else None
            tracks = tracker.update(somebody(x), step / 12.5)
            counter.update(tracks, step / 12.5)
            ids.update(tracks.ids.tolist())
        return ids, len(tracker) + len(counter)

    first, left = walk()
    second, _ = walk()
    assert left == 0
    assert len(first) == len(second) == 1
    assert not first & second


# P13


def test_the_models_were_trained_without_collecting_a_real_persons_face() -> None:
    assert manifests()
    for path in manifests():
        manifest = load_manifest(path)
        assert "rendered" in manifest.provenance
        assert "No photograph" in manifest.provenance
        assert verified_model(manifest)


def test_no_picture_of_anybody_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    ).stdout.split()
    assert listed
    pictures = {".jpg", ".jpeg", ".bmp", ".gif", ".mp4", ".avi", ".npy", ".npz", ".raw"}
    found = [each for each in listed if Path(each).suffix.lower() in pictures]
    assert found == ["firmware/doorsill/assets/street.mp4"]  # rendered by us


CONTROLLER = ec.generate_private_key(ec.SECP256R1())
HERE = document.Place("shop-1", "cam-01")
NOW = 1_800_000_000.0  # UTC s


def body(**change: object) -> dict[str, object]:
    """A policy's body that is good but for ``change``."""
    return {
        "format": document.FORMAT, "version": 1, "site": "shop-1",
        "purpose": "count visitors", "controller": "A shop", "timezone": "UTC",
        "attributes": False, "k": 10, "epsilon_per_day": 1.0,
        "lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}],
    } | change  # fmt: skip


def somebody(x: float | None) -> Detections:
    """One person who stands at ``x``, or nobody."""
    if x is None:
        return Detections.none()
    box = np.array([[x - 0.05, 0.2, x + 0.05, 0.8]], np.float32)
    head = np.array([[x - 0.02, 0.2, x + 0.02, 0.28]], np.float32)
    feet = np.array([[x, 0.8]], np.float32)
    return Detections(box, np.array([0.9], np.float32), head, feet)


# P14

WELL = Facts(
    device=Device(), running_s=3600.0, vision_heard_s=0.0, picture=Picture.FRESH
)
FAULTS = {
    "camera": replace(WELL, picture=Picture.NONE),
    "reader": replace(WELL, device=Device(reader="missing")),
    "broker": replace(WELL, refused_s=1.0),
    "policy": replace(WELL, device=Device(policy_obeyed=False)),
    "lock": replace(WELL, device=Device(locked=False)),
}


@pytest.mark.parametrize("part", FAULTS)
def test_a_fault_shows_no_light_is_green_and_no_window_looks_whole(part: str) -> None:
    """Without a camera, a reader, a broker, an obeyed policy or a lock it needs.

    ``test_witnesses`` plays twenty-five such faults for real.
    """
    sight = Sight(Picture.FRESH, 0.0, counts=True)
    assert state_of(sight, problems_of(WELL)) == "ready"  # the control
    assert flag_fault(Quality.GOOD, problems_of(WELL)) == Quality.GOOD
    problems = problems_of(FAULTS[part])
    assert state_of(sight, problems) == "alert"
    assert flag_fault(Quality.GOOD, problems) == Quality.FAULT
    packet = json.loads(describe(SITE, "cam-01", "0.1.0", ["door"]))
    template = packet["cmps"]["problem"]["val_tpl"]
    for state in ("alert", "lost"):  # the will of a device that no broker hears
        said = Template(template).render(value_json={"state": state})
        assert said == "ON"
