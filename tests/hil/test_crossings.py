"""Real libcamera, picamera2, driver, detector, counting: as the host counts them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from rig.inside.hil_count import Some
from rig.layer import CLIP_MARK, PICTURES, SITE_FOLDER, STALL_MARK, STEP_NS

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


@pytest.fixture
def alone(camera: Camera) -> Any:
    """The camera is ours: vision is stopped, and starts again afterwards."""
    if not camera.has_layer():
        pytest.skip("a Pi sees what stands before its lens, not our clip")
    camera.run("systemctl stop doorsill-vision", 60)
    camera.console.must(f"echo {STEP_NS} > {SITE_FOLDER}/{CLIP_MARK}")
    yield camera
    camera.run(f"rm -f {SITE_FOLDER}/{CLIP_MARK}; systemctl start doorsill-vision", 60)


def test_crossings_are_those_of_the_host_one_by_one(
    alone: Camera, record_property: Note
) -> None:
    line = ",".join(str(each) for each in street_truth()["line"])
    program = f"{PYTHON} {HIL}/hil_count.py {line} {PICTURES}"
    as_vision = "setpriv --reuid=doorsill-vision --regid=doorsill --groups=video"
    said, code = alone.console.run(f"{as_vision} {program} 2>/run/hil-count", COUNT_S)
    assert code == 0, said + alone.run("tail -n 30 /run/hil-count")
    found = json.loads(said.splitlines()[-1])
    here, there = (
        on_the_host(),
        [(each["at"], each["direction"]) for each in found["crossings"]],
    )
    record_property("host", _shown(here))
    record_property("guest", _shown(there))
    rate = found["frames"] / found["seconds"]
    record_property(
        "rate", f"{rate:.2f} pictures a second, {found['gated']} were still"
    )
    assert found["frames"] == PICTURES
    assert len(here) >= 3, "the control: the piece has people"
    assert [each[1] for each in there] == [each[1] for each in here]
    for one, other in zip(here, there, strict=True):
        assert abs(one[0] - other[0]) <= APART_S


def test_a_camera_that_stalls_is_said_and_comes_back(
    camera: Camera, record_property: Note
) -> None:
    if not camera.has_layer():
        pytest.skip("nobody pulls the ribbon cable of a Pi")
    began = time.time()
    camera.console.must(f"touch {SITE_FOLDER}/{STALL_MARK}")
    said = "the camera stopped: no frame within 5 s"
    camera.until(
        lambda: said in camera.journal("doorsill-vision"), STALLED_S, camera.last_words
    )
    record_property("found gone", f"{time.time() - began:.0f} s after it stalled")
    camera.console.must(f"rm {SITE_FOLDER}/{STALL_MARK}")
    camera.until(lambda: camera.active("vision"), STALLED_S, camera.last_words)


def _shown(crossings: Crossings) -> str:
    return ", ".join(f"{way.lower()} at {at:.2f} s" for at, way in crossings)
