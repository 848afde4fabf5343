"""In the guest: what the vision process sees of the faces in the clip, as bytes.

    python hil_canary.py FRAME... LEAK    one line of JSON: pieces of crops, in hex

They go through the real camera and driver, because libcamera scales and converts them
on the way. LEAK gets one crop as it is, for a control that must be found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from doorsill.channels.crop_sender import cut_head
from doorsill.config import ModelSection
from doorsill.drivers.camera.opening import open_camera
from doorsill.services.detectors import open_detector
from doorsill.values import Frame, Pixels

RATE = 12.5
PIECE, DISTINCT = 24, 12  # bytes of a piece; different values in it
MOST = 40  # pieces of one crop


def pieces(crop: Pixels) -> list[bytes]:
    """Parts of its rows that no other picture has by chance."""
    rows = np.ascontiguousarray(crop).reshape(crop.shape[0], -1)
    found = [bytes(row[at : at + PIECE]) for row in rows for at in (0, 30, 60)]
    good = [each for each in found if len(set(each)) >= DISTINCT]
    return list(dict.fromkeys(each for each in good if len(each) == PIECE))[:MOST]


def main() -> None:
    """Look at the frames that are named, cut the heads, say their bytes."""
    *numbers, leak = sys.argv[1:]
    wanted = set(map(int, numbers))
    detector = open_detector(ModelSection())
    camera = open_camera("picamera", "0", detector.fit, frame_rate=RATE)
    found: list[bytes] = []
    for number in range(max(wanted) + 1):
        frame = camera.read()
        assert frame is not None
        if number in wanted:
            pixels = frame.pixels.copy()
            heads = detector.detect(Frame(pixels, 0.0)).heads
            cut = [cut_head(pixels, head) for head in heads]
            crops = [np.ascontiguousarray(each) for each in cut if each is not None]
            for crop in crops:
                found += pieces(crop)
                Path(leak).write_bytes(crop.tobytes())
        frame.release()
    camera.close()
    print(json.dumps([each.hex() for each in found]))


if __name__ == "__main__":
    main()
