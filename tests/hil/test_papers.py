"""By boot file and by air: policy, revocation, a typo, a used voucher, a bad clock."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rig.guest import Guest
from rig.office import SITE

from doorsill.documents import canonical

from .camera import READY_S, Camera

BY_AIR_S = 60.0
SAID_S = 90.0
STATUS = "doorsill-status.txt"
Note = Any


def test_a_policy_by_air_is_in_force(camera: Camera, record_property: Note) -> None:
    signed = camera.office.sign(version=2, purpose="by air")
    digest = canonical.digest(canonical.split(signed)[0])
    began = time.time()
    camera.office.push(camera.device, signed)
    camera.until(
        lambda: (camera.heard("health") or {}).get("policy") == digest[:32],
        BY_AIR_S,
        camera.last_words,
    )
    record_property("in force", f"{time.time() - began:.0f} s after the push")


def test_a_policy_of_another_shop_changes_nothing(camera: Camera) -> None:
    before = (camera.heard("health") or {})["policy"]
    camera.office.push(camera.device, camera.office.sign(version=9, site="elsewhere"))
    camera.until(
        lambda: (camera.heard("health") or {}).get("policy_why") == "other_site",
        BY_AIR_S,
        camera.last_words,
    )
    assert (camera.heard("health") or {})["policy"] == before


def test_a_revoked_camera_is_heard_no_more(camera: Camera) -> None:
    camera.office.command("device", "revoke", camera.serial, "--why", "hil")
    camera.until(
        lambda: "revoked" in camera.journal("doorsill-uplink"),
        SAID_S,
        camera.last_words,
    )


@pytest.fixture
def flashed(camera: Camera) -> Any:
    """A new card in the same board; it is off."""
    if not isinstance(camera.board, Guest):
        pytest.skip("make flash writes a card; the bench keeps the one it has")
    board = camera.board
    board.power_off()
    board.blank()
    yield camera
    board.power_off()
    board.clock = ""


def status_says(camera: Camera, words: str) -> None:
    """On the serial console, which says the same as the file beside the boot file."""
    camera.console.pace = max(camera.console.pace, 1.0)
    camera.board.wait_said(words, READY_S + SAID_S)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("sight = x\n", "sight", id="a typo"),
        pytest.param("{used}\n", "voucher", id="a used voucher"),
    ],
)
def test_what_is_wrong_stands_beside_the_file_and_corrected_it_goes_on(
    flashed: Camera, text: str, says: str, record_property: Note
) -> None:
    used = f"voucher = {flashed.voucher}"
    flashed.put_boot_file(f"site = {SITE}\n" + text.format(used=used))
    flashed.switch_on()
    flashed.console.pace = 8.0
    status_says(flashed, says)
    flashed.board.power_off()
    said = flashed.boot_file(STATUS)
    record_property("beside the file", " / ".join(said.split("\n")[:4]))
    assert says in said
    flashed.serial, flashed.voucher = flashed.office.voucher()
    flashed.device = "cam-02" if flashed.device == "cam-01" else "cam-03"
    flashed.put_boot_file(f"site = {SITE}\nvoucher = {flashed.voucher}\n")
    flashed.switch_on()
    flashed.login()
    flashed.until(lambda: flashed.state() == "ready", READY_S, flashed.last_words)


def test_a_clock_at_1970_is_set_and_it_joins(
    flashed: Camera, record_property: Note
) -> None:
    flashed.serial, flashed.voucher = flashed.office.voucher()
    flashed.device = "cam-04"
    flashed.put_boot_file(f"site = {SITE}\nvoucher = {flashed.voucher}\n")
    assert isinstance(flashed.board, Guest)
    flashed.board.clock = "1970-01-02T00:00:00"
    flashed.switch_on()
    flashed.login()
    flashed.until(lambda: flashed.state() == "ready", READY_S, flashed.last_words)
    record_property("its clock", flashed.run("date -u"))
