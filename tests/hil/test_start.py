"""From the power switch to the first window at the broker, with no hand in between."""

from __future__ import annotations

from typing import Any

import pytest

from .camera import READY_S, WINDOW_S, Camera

Note = Any


def test_a_camera_that_is_switched_on_joins_its_shop_and_is_ready(
    camera: Camera, record_property: Note
) -> None:
    record_property("pace", f"{camera.console.pace:.1f} times that of a quiet machine")
    camera.until(
        lambda: (camera.heard("state") or {}).get("state") == "ready",
        READY_S,
        camera.last_words,
    )
    camera.stages["ready"] = camera.came("state", state="ready") - camera.on_at
    record_property("enrolled", "by hand" if camera.by_hand else "by its boot file")
    for name, seconds in sorted(camera.stages.items(), key=lambda each: each[1]):
        record_property(name, f"{seconds:.0f} s after power-on")
    for unit, seconds in camera.started().items():
        record_property(f"{unit}", f"{seconds:.0f} s after its kernel")


def test_its_first_window_comes_to_the_broker(
    camera: Camera, record_property: Note
) -> None:
    camera.until(lambda: camera.heard("interval"), WINDOW_S, camera.last_words)
    camera.stages["window"] = camera.came("interval") - camera.on_at
    window = camera.heard("interval")
    assert window is not None and window["end"] > window["start"]
    record_property("first window", f"{camera.stages['window']:.0f} s after power-on")
    camera.console.measure()  # it was measured while all of it started
    record_property("pace now", f"{camera.console.pace:.1f}")
    record_property("it says", f"{window['coverage_s']} s covered, {window['quality']}")


def test_no_hand_was_needed(camera: Camera) -> None:
    if camera.by_hand:
        pytest.skip("this image has no first boot; its voucher was typed")


def test_its_voucher_is_wiped(camera: Camera) -> None:
    """In no file of the running system, and the boot partition has another line."""
    secret = camera.voucher.rpartition("/")[2]
    found = camera.run(f"grep -rl {secret} /boot /state /etc/doorsill /var /run 2>&-")
    assert found == ""


def test_every_unit_of_ours_runs_and_none_has_failed(camera: Camera) -> None:
    assert camera.active("vision", "uplink"), camera.last_words()
    failed = camera.run("systemctl --no-legend --plain --failed | cut -d' ' -f1")
    assert failed == ""
