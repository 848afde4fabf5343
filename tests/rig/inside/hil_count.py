"""In the guest: the real camera driver, detector and counting over the clip's pictures.

python hil_count.py LINE FRAMES      each crossing in clip time, a line of JSON
"""

from __future__ import annotations

import json
import sys
import time

from doorsill.config import ModelSection
from doorsill.drivers.camera.opening import open_camera
from doorsill.evaluation.counting import Wanted, count
from doorsill.services.detectors import open_detector
from doorsill.values import Frame

RATE = 12.5  # of the clip


class Some:
    """The first frames of a camera that would never end."""

    def __init__(self, camera: object, frames: int) -> None:
        self.camera, self.left = camera, frames

    def read(self) -> Frame | None:
        """The next, or None when there were enough."""
        self.left -= 1
        return self.camera.read() if self.left >= 0 else None  # type: ignore[attr-defined]


def main() -> None:
    """Open, count, say."""
    x0, y0, x1, y1 = map(float, sys.argv[1].split(","))
    detector = open_detector(ModelSection())
    began = time.monotonic()
    camera = open_camera("picamera", "0", detector.fit, frame_rate=RATE)
    opened = time.monotonic() - began
    found = count(
        Some(camera, int(sys.argv[2])), detector, Wanted([((x0, y0), (x1, y1))])
    )
    camera.close()
    crossings = [
        {"at": round(each.time - found.first, 3), "direction": each.direction.name}
        for each in found.crossings
    ]
    said = {"frames": found.frames, "gated": found.gated, "seconds": found.seconds}
    print(json.dumps({**said, "open_s": opened, "crossings": crossings}))


if __name__ == "__main__":
    main()
