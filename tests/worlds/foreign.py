"""A detector of somebody else's and people for it to see, of ``../shared/data``."""

from __future__ import annotations

from functools import cache

import numpy as np
from places import SHARED

from doorsill.drivers.camera.video import open_recording

SSD = SHARED / "models" / "ssd_mobilenet_v1_coco_uint8.tflite"
CLIP = SHARED / "clips" / "one-by-one-person-detection.mp4"
SEEN = range(60, 300, 40)  # frames in which people cross


@cache
def ssd() -> bytes:
    """The detector's file."""
    return SSD.read_bytes()


@cache
def pictures() -> tuple[np.ndarray, ...]:
    """The pictures of SEEN, at the detector's size."""
    camera, found = open_recording(str(CLIP), (300, 300)), []
    try:
        for number in range(SEEN.stop):
            frame = camera.read()
            if number in SEEN:
                found.append(frame.pixels.copy())
            frame.release()
    finally:
        camera.close()
    return tuple(found)
