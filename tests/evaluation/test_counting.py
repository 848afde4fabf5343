"""What a source comes to, with any time on its clock at the first frame."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doorsill.config import ModelSection
from doorsill.drivers.camera.camera import Camera
from doorsill.drivers.camera.clip import street_truth
from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import CameraError
from doorsill.evaluation.counting import Counted, Wanted, count
from doorsill.services.detectors import open_detector
from doorsill.values import Frame
from doorsill.vision.detect.detector import Detector

HOUR = 1489.25  # s, what the monotonic clock of a machine may show


class Shifted:
    """The street, as a live source gives it: frame times go by the machine's clock."""

    def __init__(self, detector: Detector, start: float, ends_at: float = 1e9) -> None:
        self._camera = open_camera("street", "once", detector.fit, live=False)
        self._start = start
        self._ends_at = ends_at

    def read(self) -> Frame | None:
        frame = self._camera.read()
        if frame is not None and frame.time > self._ends_at:
            raise CameraError("/dev/video0 stopped: No such device")
        if frame is None:
            return None
        return replace(frame, time=frame.time + self._start)

    def close(self) -> None:
        self._camera.close()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return open_detector(ModelSection())


def tally_of(detector: Detector, camera: Camera, seconds: float) -> Counted:
    numbers = street_truth()["line"]
    line = ((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    try:
        return count(camera, detector, Wanted([line], seconds=seconds))
    finally:
        camera.close()


def test_a_live_source_is_counted_for_so_many_seconds_from_its_first_frame(
    detector: Detector,
) -> None:
    recording = tally_of(detector, Shifted(detector, 0.0), 4.0)
    live = tally_of(detector, Shifted(detector, HOUR), 4.0)
    assert recording.frames == live.frames > 40
    assert recording.lines == live.lines
    assert live.reached == pytest.approx(4.0, abs=0.1)


def test_a_source_that_breaks_off_gives_what_was_counted_until_then(
    detector: Detector,
) -> None:
    broken = tally_of(detector, Shifted(detector, HOUR, ends_at=3.5), 60.0)
    whole = tally_of(detector, Shifted(detector, 0.0), 3.5)
    assert isinstance(broken.stopped, CameraError)
    assert abs(broken.frames - whole.frames) <= 1 and broken.lines == whole.lines
    assert broken.reached == pytest.approx(3.5, abs=0.2)


def test_one_that_gives_no_frame_at_all_is_an_error(detector: Detector) -> None:
    with pytest.raises(CameraError):
        tally_of(detector, Shifted(detector, HOUR, ends_at=-1.0), 60.0)
