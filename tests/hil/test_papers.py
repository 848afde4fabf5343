"""What the office says by air: another policy, one of another shop, no more."""

from __future__ import annotations

import time
from typing import Any

from doorsill.documents import canonical

from .camera import Camera

BY_AIR_S = 60.0
SAID_S = 90.0
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
