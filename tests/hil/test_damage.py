"""A bit that flips on the card, and a vision that hangs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rig.guest import Guest
from rig.mux import flip, partitions

from .camera import WINDOW_S, Camera

BLOCK = 4096  # bytes that one hash of dm-verity covers
DEVICE = "/dev/dm-0"
WATCHDOG_S = 12.0  # in place of the 30 of the unit, which the layer stretches
WATCHED_S = 60.0  # that, and its restart
Note = Any


@pytest.fixture
def guest(camera: Camera) -> Guest:
    if not isinstance(camera.board, Guest):
        pytest.skip("the bench's card is not spoilt")
    return camera.board


def system_of(guest: Guest) -> int:
    """Where slot a begins on the disk, in bytes."""
    return next(at for name, at, _ in partitions(guest.disk()) if name == "system_a")


def test_a_bit_that_flips_under_a_running_camera_is_not_read(
    camera: Camera, guest: Guest, record_property: Note
) -> None:
    number = 5000  # a block of the squashfs, 20 MB into it
    read = f"dd if={DEVICE} of=/dev/null bs={BLOCK} skip={number} count=1 iflag=direct"
    assert camera.console.run(read)[1] == 0, "the control: it can be read"
    at = system_of(guest) + number * BLOCK + 77
    flip(guest.disk(), at)
    said, code = camera.console.run(read)
    flip(guest.disk(), at)
    record_property("it says", said.splitlines()[0])
    assert code != 0 and "Input/output error" in said
    assert "verity" in camera.run("dmesg | tail -n 20")


def test_a_vision_that_hangs_is_restarted_and_the_window_says_gap(
    camera: Camera, record_property: Note
) -> None:
    def pid() -> str:
        return camera.run("systemctl show --value -p MainPID doorsill-vision")

    camera.watch_vision(WATCHDOG_S)
    before, began = pid(), time.time()
    camera.run("systemctl kill --signal=SIGSTOP doorsill-vision")
    camera.until(lambda: pid() not in ("0", before), WATCHED_S, camera.last_words)
    record_property("a new one", f"{time.time() - began:.0f} s after it hung")
    assert "Watchdog timeout" in camera.journal("doorsill-vision", 40)
    camera.until(
        lambda: (camera.heard("interval") or {}).get("end", 0) > began + 30,
        2 * WINDOW_S,
        camera.last_words,
    )
    window = camera.heard("interval")
    assert window is not None and "gap" in window["quality"]
