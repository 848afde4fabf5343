"""Real libcamera, picamera2, driver, detector, counting: as the host counts them."""

from __future__ import annotations

from typing import Any

from camera_contract import CONTRACT
from rig.inside.hil_clip import Some
from rig.layer import PICTURES

from doorsill.config import ModelSection
from doorsill.drivers.camera.clip import open_street, street_truth
from doorsill.evaluation.counting import Wanted, count
from doorsill.services.detectors import open_detector

from .camera import Camera, Clip

APART_S = 0.25  # three frames of the clip: JPEG and scaling move a foot by a pixel
Note = Any
Crossings = list[tuple[float, str]]


def on_the_host() -> Crossings:
    """What the same pieces count of the clip itself, here."""
    x0, y0, x1, y1 = street_truth()["line"]
    detector = open_detector(ModelSection())
    camera = open_street("once", detector.fit, live=False)
    found = count(Some(camera, PICTURES), detector, Wanted([((x0, y0), (x1, y1))]))
    camera.close()
    return [(each.time - found.first, each.direction.name) for each in found.crossings]


def test_the_driver_holds_to_the_contract_of_every_camera(played: Clip) -> None:
    """On libcamera and picamera2, as the fake ones do in tests/contracts."""
    assert played.contract == {each.__name__: "" for each in CONTRACT}


def test_crossings_are_those_of_the_host_one_by_one(
    played: Clip, record_property: Note
) -> None:
    here, there = on_the_host(), played.crossings
    record_property("host", _shown(here))
    record_property("guest", _shown(there))
    record_property("rate", f"{played.rate:.2f} a second")
    assert played.frames == PICTURES
    assert len(here) >= 3, "the control: the piece has people"
    assert [each[1] for each in there] == [each[1] for each in here]
    for one, other in zip(here, there, strict=True):
        assert abs(one[0] - other[0]) <= APART_S


def test_vision_takes_the_kernels_of_its_processor(camera: Camera) -> None:
    """Where it cannot read /proc/cpuinfo, XNNPACK is left out: 3 times slower."""
    said = camera.run("journalctl --no-pager -b -u doorsill-vision", 30)
    assert "Camera started" in said, "the control: what its libraries say is there"
    assert "Error in cpuinfo" not in said


def _shown(crossings: Crossings) -> str:
    return ", ".join(f"{way.lower()} at {at:.2f} s" for at, way in crossings)
