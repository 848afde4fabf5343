"""In the guest: the real camera driver, detector and counting over the clip's pictures.

First the driver is held to the contract of every camera (tests/worlds).

    python hil_clip.py LINE PICTURES LEAK FRAME...     a line of JSON

It says what the contract found wrong, each crossing in clip time, and the bytes of the
faces in the frames that are named, in hex: what the vision process sees of them,
because libcamera scales and converts them on the way. LEAK gets one of the crops, for a
control that must be found.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Container
from pathlib import Path

import numpy as np

from doorsill.channels.crop_sender import cut_head
from doorsill.config import ModelSection
from doorsill.drivers.camera.camera import Camera
from doorsill.drivers.camera.opening import open_camera
from doorsill.evaluation.counting import Counted, Wanted, count
from doorsill.services.detectors import open_detector
from doorsill.values import Frame, Pixels
from doorsill.vision.detect.detector import Detector

RATE = 12.5  # of the clip
FIT = (320, 256)
PIECE, DISTINCT = 24, 12  # bytes of a piece; different values in it
MOST = 40  # pieces of one crop


class Some:
    """The first frames of a camera that would never end; ``kept`` has the wanted."""

    def __init__(self, camera: object, frames: int, wanted: Container[int] = ()):
        self.camera, self.frames, self.wanted = camera, frames, wanted
        self.number, self.kept = 0, list[Pixels]()

    def read(self) -> Frame | None:
        """The next, or None when there were enough."""
        if self.number >= self.frames:
            return None
        frame: Frame = self.camera.read()  # type: ignore[attr-defined]
        if self.number in self.wanted:
            self.kept.append(frame.pixels.copy())
        self.number += 1
        return frame


def pieces(crop: Pixels) -> list[bytes]:
    """Parts of its rows that no other picture has by chance."""
    rows = np.ascontiguousarray(crop).reshape(crop.shape[0], -1)
    found = [bytes(row[at : at + PIECE]) for row in rows for at in (0, 30, 60)]
    good = [each for each in found if len(set(each)) >= DISTINCT]
    return list(dict.fromkeys(each for each in good if len(each) == PIECE))[:MOST]


def crops(detector: Detector, pixels: Pixels) -> list[Pixels]:
    """The heads in a picture, as they are cut for the vault."""
    cut = [cut_head(pixels, each) for each in detector.detect(Frame(pixels, 0.0)).heads]
    return [np.ascontiguousarray(each) for each in cut if each is not None]


def held() -> dict[str, str]:
    """Each clause of the contract, and what is wrong; "" where it holds."""
    sys.path.insert(0, str(Path(__file__).parent))
    from camera_contract import CONTRACT

    return {each.__name__: wrong_with(each) for each in CONTRACT}


def wrong_with(holds: Callable[[Camera], None]) -> str:
    """What it says of a camera that is opened for it."""
    camera = opened(FIT)
    try:
        holds(camera)
    except Exception:
        return traceback.format_exc()
    finally:
        camera.close()
    return ""


def opened(fit: tuple[int, int]) -> Camera:
    """The camera, for pictures of this size."""
    return open_camera("picamera", "0", fit, frame_rate=RATE)


def said_of(found: Counted) -> dict[str, object]:
    """As JSON; times in s from the first frame."""
    crossings = [
        {"at": round(each.time - found.first, 3), "direction": each.direction.name}
        for each in found.crossings
    ]
    said = {"frames": found.frames, "gated": found.gated, "seconds": found.seconds}
    return {**said, "crossings": crossings}


def main() -> None:
    """Open, count, cut, say."""
    line, pictures, leak, *numbers = sys.argv[1:]
    x0, y0, x1, y1 = map(float, line.split(","))
    detector = open_detector(ModelSection())
    contract = held()
    camera = opened(detector.fit)
    played = Some(camera, int(pictures), set(map(int, numbers)))
    found = count(played, detector, Wanted([((x0, y0), (x1, y1))]))
    camera.close()
    faces = [crop for each in played.kept for crop in crops(detector, each)]
    Path(leak).write_bytes(faces[-1].tobytes())
    seen = [each.hex() for crop in faces for each in pieces(crop)]
    print(json.dumps({**said_of(found), "contract": contract, "faces": seen}))


if __name__ == "__main__":
    main()
