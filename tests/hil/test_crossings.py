"""Real libcamera, picamera2, driver, detector, counting: as the host counts them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from rig.inside.hil_count import Some
from rig.layer import CAMERAS, PICTURES, SITE_FOLDER, STALL_MARK

from doorsill.config import ModelSection
from doorsill.drivers.camera.clip import open_street, street_truth
from doorsill.evaluation.counting import Wanted, count
from doorsill.services.detectors import open_detector

from .camera import HIL, PYTHON, Camera

COUNT_S = 200.0  # for the piece of the clip, on a quiet machine
APART_S = 0.25  # three frames of the clip: JPEG and scaling move a foot by a pixel
STALLED_S = 60.0  # for the camera to be found gone, and a new one at work
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


def test_crossings_are_those_of_the_host_one_by_one(
    camera: Camera, record_property: Note
) -> None:
    line = ",".join(str(each) for each in street_truth()["line"])
    program = f"{PYTHON} {HIL}/hil_count.py {line} {PICTURES}"
    as_vision = "setpriv --reuid=doorsill-vision --regid=doorsill --groups=video"
    with camera.clip():
        said, code = camera.console.run(
            f"{as_vision} {program} 2>/run/hil-count", COUNT_S
        )
        assert code == 0, said + camera.run("tail -n 30 /run/hil-count")
    found = json.loads(said.splitlines()[-1])
    here = on_the_host()
    there = [(each["at"], each["direction"]) for each in found["crossings"]]
    record_property("host", _shown(here))
    record_property("guest", _shown(there))
    rate = found["frames"] / found["seconds"]
    record_property("rate", f"{rate:.2f} a second, {found['gated']} were still")
    assert found["frames"] == PICTURES
    assert len(here) >= 3, "the control: the piece has people"
    assert [each[1] for each in there] == [each[1] for each in here]
    for one, other in zip(here, there, strict=True):
        assert abs(one[0] - other[0]) <= APART_S


def test_vision_takes_the_kernels_of_its_processor(camera: Camera) -> None:
    """Where it cannot read /proc/cpuinfo, XNNPACK is left out: 3 times slower."""
    said = camera.run("journalctl --no-pager -b -u doorsill-vision", 30)
    assert "Camera started" in said, "the control: what its libraries say is there"
    assert "Error in cpuinfo" not in said


def test_a_camera_that_stalls_is_said_and_comes_back(
    camera: Camera, record_property: Note
) -> None:
    """As a ribbon cable that is loose: no frame comes."""
    if not camera.has_layer():
        pytest.skip("nobody pulls the ribbon cable of a Pi")
    mark = f"{SITE_FOLDER}/{STALL_MARK}"
    goes(camera, f"touch {mark}", "the camera stopped: it gives no frames")
    comes_back(camera, f"rm {mark}", record_property)


def test_a_camera_that_is_gone_is_said_and_comes_back(
    camera: Camera, record_property: Note
) -> None:
    """libcamera finds none, as when a cable is out at a start."""
    if not camera.has_layer():
        pytest.skip("nobody pulls the ribbon cable of a Pi")
    away = f"mv /{CAMERAS} /{CAMERAS}.away"
    goes(camera, f"{away}; systemctl kill -s KILL doorsill-vision", "no camera")
    comes_back(camera, f"mv /{CAMERAS}.away /{CAMERAS}", record_property)


def goes(camera: Camera, command: str, says: str) -> None:
    """The camera goes, and vision says so in its journal and `state` at the broker."""
    camera.until(lambda: camera.state() == "ready", STALLED_S, camera.last_words)
    camera.console.must(command)
    camera.until(
        lambda: says in camera.journal("doorsill-vision").lower(),
        STALLED_S,
        camera.last_words,
    )
    camera.until(lambda: camera.state() != "ready", STALLED_S, camera.last_words)


def comes_back(camera: Camera, command: str, record_property: Note) -> None:
    """It is there again: nobody restarts anything."""
    began = time.time()
    camera.console.must(command)
    camera.until(lambda: camera.state() == "ready", STALLED_S, camera.last_words)
    record_property("ready again", f"{time.time() - began:.0f} s after it was back")


def _shown(crossings: Crossings) -> str:
    return ", ".join(f"{way.lower()} at {at:.2f} s" for at, way in crossings)
