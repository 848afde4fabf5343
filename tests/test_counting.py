"""What a source comes to, whatever its clock says at the first frame."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doorsill.config import ModelSection
from doorsill.counting import Tally, Wanted, count
from doorsill.drivers.camera import Camera, open_camera
from doorsill.drivers.clip import street_truth
from doorsill.errors import CameraError
from doorsill.values import Frame
from doorsill.vision.detector import Detector
from doorsill.vision.detectors import open_detector

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


def tally_of(detector: Detector, camera: Camera, seconds: float) -> Tally:
    numbers = street_truth()["line"]
    line = ((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    try:
        return count(camera, detector, Wanted([line], seconds))
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


def test_a_live_source_that_breaks_off_says_how_much_can_be_counted(
    detector: Detector,
) -> None:
    camera = Shifted(detector, HOUR, ends_at=3.5)
    with pytest.raises(CameraError, match=r"No such device; `--seconds 3` counts"):
        tally_of(detector, camera, 60.0)
