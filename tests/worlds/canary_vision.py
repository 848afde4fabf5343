"""The whole vision service, with a lens of ours; all behind the lens is the product's.

    python canary_vision.py CONFIG BUFFER-HANDLE PLATFORM [LEAK]

The camera is the picamera driver on the fake board (PISP: RGB, VC4: YUV 4:2:0), and it
sees what lies in the buffer, which the test fills. LEAK makes a build that leaks there.
"""

import io
import logging
import mmap
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from doorsill.channels import crop_sender
from doorsill.config import load_config
from doorsill.drivers.camera import picamera
from doorsill.drivers.camera.picamera_fake import FakePi, FakeRequest
from doorsill.process import hardening
from doorsill.services import vision
from doorsill.values import Frame, Pixels, Quality
from doorsill.vision.quality import QualityWatch

PERIOD_S = 0.08
PICTURE = 240 * 320 * 3  # bytes of the buffer; the one behind them pulls the cable
LEAKS: list[object] = []


def lens(handle: int, platform: str) -> FakePi:
    """A board that sees the buffer, at the pace of a camera."""
    buffer = mmap.mmap(handle, 0)
    due = time.monotonic()

    def look(_: int, size: tuple[int, int]) -> Pixels:
        nonlocal due
        due = max(due + PERIOD_S, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
        if buffer[PICTURE]:
            board.busy = True
            raise TimeoutError("no frame in time")
        pixels = np.frombuffer(buffer, np.uint8, PICTURE)
        return pixels.reshape(size[1], size[0], 3)

    board = FakePi(look, platform)
    return board


def leak(what: str) -> None:
    """Become a build that keeps crops, as they are or encoded, or whole frames."""
    seal, judge = crop_sender.seal_copy, QualityWatch.judge

    def keep_crop(pixels: Pixels) -> int:
        LEAKS.append(pixels.tobytes())
        return seal(pixels)

    def keep_frame(self: QualityWatch, frame: Frame) -> Quality:
        LEAKS.append(frame.pixels.copy())
        return judge(self, frame)

    def keep_jpeg(pixels: Pixels) -> int:
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=90)
        LEAKS.append(data.getvalue())
        return seal(pixels)

    if what == "crops":
        crop_sender.seal_copy = keep_crop
    elif what == "jpeg":
        crop_sender.seal_copy = keep_jpeg
    elif what == "frames":
        QualityWatch.judge = keep_frame  # type: ignore[method-assign]


def main() -> None:
    config, handle, platform, what = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    if os.geteuid() != 0:  # without root the test can only read what is dumpable
        hardening.PR_SET_DUMPABLE = 1  # PR_SET_PDEATHSIG, which 0 leaves as it is
    leak(what)
    board = lens(int(handle), platform)
    picamera.find_library = board.library
    FakeRequest.get_metadata = lambda self: {"SensorTimestamp": time.monotonic_ns()}  # type: ignore[method-assign]
    vision.main(load_config(Path(config)))


main()
