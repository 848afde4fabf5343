"""A vision process for the canary: a camera buffer, a Handover, nothing else.

    python canary_vision.py SOCKET BUFFER-HANDLE

The buffer is the test's, as a camera's is the driver's: this process never owns it.
"""

import mmap
import os
import sys
import time
from pathlib import Path

import numpy as np

from doorsill import confine as confinement
from doorsill.consent.handover import GAP_S, Handover
from doorsill.values import Frame

HEIGHT, WIDTH = 120, 160
LEAKS: list[object] = []


def main() -> None:
    path, handle = Path(sys.argv[1]), int(sys.argv[2])
    buffer = mmap.mmap(handle, HEIGHT * WIDTH * 3)
    pixels = np.frombuffer(buffer, np.uint8).reshape(HEIGHT, WIDTH, 3)
    handover = Handover(path)
    if os.geteuid() != 0:  # without root the test can only read what is dumpable
        confinement.PR_SET_DUMPABLE = 1  # PR_SET_PDEATHSIG, which 0 leaves as it is
    confinement.confine(confinement.Confinement())
    heads = np.array([[0.2, 0.2, 0.6, 0.6]], np.float32)
    leaking = len(sys.argv) > 3
    while True:
        frame = Frame(pixels, time.monotonic())
        if handover.offer(frame, heads, frame.time) and leaking:
            LEAKS.append(pixels[24:72].tobytes())
        time.sleep(GAP_S / 2)


main()
