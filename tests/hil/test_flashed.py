"""A new card in the same board: what is wrong stands beside the boot file.

    typo ─► corrected: used voucher ─► corrected: good voucher ─► ready ─► power cut

All in one start, with a clock at 1970 and a kernel without landlock, because a start
takes a minute and more. At last a bit of the system flips.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rig.guest import Guest
from rig.mux import flip, partitions
from rig.office import SITE

from doorsill.documents.boot.steps import COUNTS, STATUS_NAME

from .camera import BOOT, READY_S, UNKNOWN_PACE, Camera

SAID_S = 60.0  # for the first boot to look at the file, after a start
STOPPED_S = 60.0  # for the small system to refuse the large one
WITHOUT = "lsm=lockdown,capability,yama,bpf"  # on the kernel line: no landlock
EPOCH = "1970-01-02T00:00:00"
Note = Any


@pytest.fixture(scope="module")
def flashed(camera: Camera) -> Iterator[Camera]:
    """A card as it comes from the office, in a board that is off."""
    if not isinstance(camera.board, Guest):
        pytest.skip("make flash writes a card; the bench keeps the one it has")
    camera.board.power_off()
    camera.board.blank()
    yield camera
    camera.board.power_off()
    camera.board.clock = camera.board.more = ""


def guest_of(camera: Camera) -> Guest:
    assert isinstance(camera.board, Guest)
    return camera.board


def laptop_writes(camera: Camera, text: str) -> None:
    """Another boot file, on the card of a board that is on: in its place at once."""
    new = f"{BOOT}/new"
    camera.console.write_file(new, camera.boot_text(text).encode())
    camera.console.must(f"mv {new} {BOOT}/doorsill.txt")


def test_a_typo_stands_beside_the_file_with_its_line(
    flashed: Camera, record_property: Note
) -> None:
    """Also with a clock at 1970, and a kernel that has no landlock."""
    flashed.serial, flashed.device, flashed.voucher = flashed.office.voucher()
    flashed.put_boot_file(f"sight = {SITE}\nvoucher = {flashed.voucher}\n")
    guest_of(flashed).clock, guest_of(flashed).more = EPOCH, WITHOUT
    flashed.switch_on()
    flashed.login()
    flashed.board.wait_said("did you mean site?", READY_S + SAID_S)
    said = flashed.run(f"cat {BOOT}/{STATUS_NAME}")
    record_property("beside the file", " / ".join(said.split("\n")[2:7]))
    assert "line 1" in said and "did you mean site?" in said


def test_corrected_it_goes_on_and_says_that_its_voucher_was_used(
    flashed: Camera, record_property: Note
) -> None:
    flashed.office.use(flashed.voucher)
    laptop_writes(flashed, f"site = {SITE}\nvoucher = {flashed.voucher}\n")
    flashed.board.wait_said("this voucher was used", READY_S + SAID_S)
    said = flashed.run(f"cat {BOOT}/{STATUS_NAME}")
    record_property("beside the file", said.splitlines()[-1])
    assert "by another key" in said and "device replace" in said
    record_property("its clock", flashed.run("date -u"))
    assert abs(flashed.clock_is_off()) < 5.0


def test_with_another_voucher_it_joins_and_counts(flashed: Camera) -> None:
    flashed.serial, flashed.device, flashed.voucher = flashed.office.voucher()
    laptop_writes(flashed, f"site = {SITE}\nvoucher = {flashed.voucher}\n")
    flashed.until(lambda: flashed.state() == "ready", 2 * READY_S, flashed.last_words)
    assert flashed.voucher not in flashed.run(f"cat {BOOT}/doorsill.txt")


def test_without_landlock_the_other_locks_hold_and_it_says_so(
    flashed: Camera, record_property: Note
) -> None:
    locks = " ".join(flashed.locks())
    record_property("locks", locks)
    assert "landlock" not in locks and "seccomp" in locks
    assert "landlock" not in flashed.run("cat /sys/kernel/security/lsm")
    health = flashed.heard("health")
    assert health is not None and "locks" not in health["problems"]


def test_a_laptop_reads_how_far_it_was_after_the_power_went(flashed: Camera) -> None:
    """The card has it before the console says it, some seconds after the uplink."""
    flashed.board.wait_said(COUNTS.says, READY_S)
    flashed.board.power_off()
    assert COUNTS.says in flashed.boot_file(STATUS_NAME)
    assert flashed.voucher not in flashed.boot_file("doorsill.txt")


def test_a_system_whose_first_block_has_another_bit_does_not_start(
    flashed: Camera,
) -> None:
    guest = guest_of(flashed)
    at = next(at for name, at, _ in partitions(guest.disk()) if name == "system_a")
    flip(guest.disk(), at + 8)
    flashed.board.power_on()
    flashed.console.pace = UNKNOWN_PACE
    flashed.board.wait_said("does not verify or is no system", STOPPED_S)
