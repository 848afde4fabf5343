"""A webcam, as far as it goes without one: a V4L2 driver played by ``webcam.c``.

FFmpeg's own V4L2 input negotiates with it, maps its buffers and takes its frames. What
a real driver does otherwise, and what real light does, is not shown here.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import WORLDS

DEVICE, FRAMES, RATE = "/dev/video7", 24, 30
GONE = "No such device"
READ = """
import json, sys
import numpy as np
from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import CameraError

camera = open_camera("video", sys.argv[1], (320, 256))
seen = []
try:
    while (frame := camera.read()) is not None:
        pixels = np.asarray(frame.pixels).astype(float)
        half = pixels.shape[1] // 2
        parts = (pixels[:, : half - 4], pixels[:, half + 4 :])
        means = [part.mean(axis=(0, 1)).tolist() for part in parts]
        seen.append((frame.time, pixels.shape, means))
except CameraError as error:
    print(json.dumps({"seen": seen, "error": str(error)}))
camera.close()
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("webcam") / "libwebcam.so"
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    command += [str(WORLDS / "webcam.c"), "-o", str(library), "-ldl"]
    subprocess.run(command, check=True, timeout=PROGRAM_S)
    return library


def read(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", READ, DEVICE],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_its_frames_come_with_their_times_and_colours_until_it_is_unplugged(
    driver: Path,
) -> None:
    preload = {"LD_PRELOAD": str(driver), "DOORSILL_WEBCAM_FRAMES": str(FRAMES)}
    done = read(preload)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert 1 <= len(found["seen"]) <= FRAMES
    for _, shape, ((left_red, _, left_blue), (red, _, blue)) in found["seen"]:
        assert shape == [240, 320, 3]  # 4:3 inside 320 x 256, no copy of the border
        assert left_red > left_blue + 60 and blue > red + 60
    times = [time for time, *_ in found["seen"]]
    steps = [(b - a) * RATE for a, b in itertools.pairwise(times)]
    assert min(steps) > 0
    settled = steps[len(steps) // 2 :]  # until then our clock learns the camera's
    whole = [step for step in settled if abs(step - round(step)) < 0.05]
    assert len(whole) > 0.6 * len(settled) > 0  # a late frame is left out
    assert found["error"].startswith(DEVICE) and GONE in found["error"]


def test_without_that_driver_there_is_no_such_webcam() -> None:
    """The control: the frames come from the driver alone."""
    done = read({"LD_PRELOAD": ""})
    assert done.returncode == 1
    assert "no camera is attached there" in done.stderr
