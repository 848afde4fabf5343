"""The product's own loop over a frame, beside the bare invoke of its model.

``Door.watch`` is what runs at a door, from the camera's buffer to the cell; the clip is
decoded before the clock starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from bench.hour_of_frames import show
from bench.rows import Row
from limits import MEASURED_S
from places import SHARED

from doorsill.channels.cell_link import CellServer
from doorsill.config import Config
from doorsill.drivers.camera.clip import street_truth
from doorsill.drivers.camera.opening import open_camera
from doorsill.policy.document import Policy
from doorsill.services.detectors import open_detector
from doorsill.services.policies import store_of
from doorsill.services.vision import door_of
from doorsill.values import Frame, Pixels
from doorsill.vision import door as vision_door
from doorsill.vision.door import Door
from doorsill.vision.pipeline import Pipeline
from doorsill.vision.timing import STAGES
from doorsill_fleet.stage.shop import Stage

FPS = 12.5
PEOPLE = (4, 6)  # in view, about five
ROUNDS = 3
HOUR = Path(__file__).parent / "hour_of_frames.py"
IDLE_FRAMES = 750
HOUR_FRAMES = 45_000
RESIDENT_KIB = 90_000_000 // 1024


@contextmanager
def shop() -> Iterator[tuple[Config, Policy, Path]]:
    """A folder with a signed policy in force; the path is that of its configuration."""
    line = street_truth()["line"]
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), ((tuple(line[:2]), tuple(line[2:])),))
        config = stage.set()
        config.device.run.mkdir(parents=True)
        config.policy_in_force.parent.mkdir(parents=True)
        policy = store_of(config).take_over(config.policy.file)
        yield config, policy, stage.configuration


@contextmanager
def door() -> Iterator[Door]:
    """A door with a signed policy, our detector, and nobody on the other end."""
    with shop() as (config, policy, _):
        cells = CellServer(config.cell_socket)
        yield door_of(config, policy, open_detector(config.model), cells)
        cells.close()


@contextmanager
def undisturbed() -> Iterator[str]:
    """Keep this process on one processor and others off it, where we may; says so.

    A program that takes turns with ours empties the caches, and what the row compares
    then is how much of each part has to come from memory.
    """
    before, processors = os.sched_getscheduler(0), os.sched_getaffinity(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except PermissionError:
        yield "beside other programs"
        return
    os.sched_setaffinity(0, {max(processors)})
    try:
        yield "nothing else on its processor"
    finally:
        os.sched_setaffinity(0, processors)
        os.sched_setscheduler(0, before, os.sched_param(0))


def street() -> list[Pixels]:
    """All pictures of the clip, decoded."""
    camera, pictures = open_camera("street", "once", (320, 256), live=False), []
    while (frame := camera.read()) is not None:
        pictures.append(frame.pixels.copy())
        frame.release()
    return pictures


def paced(pictures: Iterable[Pixels]) -> Iterator[Frame]:
    """``pictures`` at the times of a camera that begins now."""
    start = time.monotonic()
    for number, pixels in enumerate(pictures):
        yield Frame(pixels, start + number / FPS)


@contextmanager
def steps_kept() -> Iterator[list[Pipeline]]:
    """The pipelines that doors make meanwhile."""
    make, made = vision_door.pipeline, []

    def make_and_keep(*words: Any, **options: Any) -> Pipeline:
        made.append(make(*words, **options))
        return made[-1]

    vision_door.pipeline = make_and_keep
    try:
        yield made
    finally:
        vision_door.pipeline = make


def overhead() -> Row:
    """Everything from the buffer to the cell but the invoke, with five in view."""
    pictures, ours, bare = street() * ROUNDS, [], []
    with undisturbed() as how, door() as found, steps_kept() as made:

        def shown() -> Iterator[Frame]:
            before = dict.fromkeys(STAGES, 0)
            for frame in paced(pictures):
                yield frame
                (steps,) = made
                total, timing = dict(steps.timing.total_us), steps.timing
                spent = {each: total[each] - before[each] for each in STAGES}
                before = total
                people = len(steps.tracker)
                if timing.last_inferred and PEOPLE[0] <= people <= PEOPLE[1]:
                    bare.append(spent.pop("invoke"))
                    ours.append(sum(spent.values()) - spent["capture"])

        show(found, shown())
    share = median(ours) / median(bare)
    return Row(
        f"buffer to cell minus invoke, {PEOPLE[0]} to {PEOPLE[1]} people, "
        f"{len(ours)} frames, {how}",
        f"{median(ours)} µs on {median(bare)} µs: {share:.0%}",
        target="<= 15 % of the invoke",
        ok=share <= 0.15,
    )


def idle() -> Row:
    """Processor time of a still door against that of the street."""
    pictures = street()[:IDLE_FRAMES]
    random = np.random.default_rng(7)
    empty = pictures[0].astype(np.int16)
    still = [
        np.clip(empty + random.normal(0, 2, empty.shape), 0, 255).astype(np.uint8)
        for _ in range(100)
    ]
    spent = {}
    for name, shown in (("busy", pictures), ("idle", still * (IDLE_FRAMES // 100))):
        with door() as found:
            frames = paced(shown)
            show(found, islice(frames, 50))
            begun = time.process_time()
            show(found, frames)
            spent[name] = (time.process_time() - begun) / len(shown[50:])
    ratio = spent["busy"] / spent["idle"]
    return Row(
        "an idle door against a busy one, processor time a frame",
        f"{spent['idle'] * 1e6:.0f} µs against {spent['busy'] * 1e6:.0f} µs: "
        f"{ratio:.1f} times less",
        target=">= 10 times less",
        ok=ratio >= 10,
    )


def memory() -> Row:
    """Resident memory of the vision loop after 2 minutes, half an hour, an hour."""
    with shop() as (_, _, configuration):
        done = subprocess.run(
            [sys.executable, str(HOUR), str(configuration), str(HOUR_FRAMES)],
            capture_output=True,
            text=True,
            check=True,
            env={"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
            timeout=MEASURED_S,
        )
    first, half, last = json.loads(done.stdout)
    return Row(
        "resident memory of vision over an hour of frames",
        f"{first / 1024:.1f}, {half / 1024:.1f}, {last / 1024:.1f} MiB",
        target="<= 90 MB and flat",
        ok=last <= RESIDENT_KIB and last - first <= 2048,
    )


def clips() -> Iterator[Row]:
    """The real recordings, through our detector and through the peer."""
    peer = SHARED / "models" / "ssd_mobilenet_v1_coco_uint8.tflite"
    if not peer.exists():
        yield Row("real recordings", "the shared data is absent")
        return
    for clip, line, wanted in (
        ("one-by-one-person-detection.mp4", "0.72,0,0.72,1", [0, 6]),
        ("car-detection.mp4", "0.5,0,0.5,1", [0, 0]),
    ):
        found = {}
        for name, model in (("ours", "detector"), ("SSD", str(peer))):
            found[name] = _count(SHARED / "clips" / clip, line, model)
        yield Row(
            f"{clip.removesuffix('.mp4')}, in and out",
            "{} and {}".format(*found["ours"]),
            {"SSD MobileNet v1": "{} and {}".format(*found["SSD"])},
            "{} and {}".format(*wanted),
            found["ours"] == found["SSD"] == wanted,
        )


def _count(clip: Path, line: str, model: str) -> list[int]:
    command = [sys.executable, "-m", "doorsill", "count", str(clip), "--line", line]
    done = subprocess.run(
        [*command, "--model", model, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=MEASURED_S,
    )
    counted = json.loads(done.stdout)["lines"][0]
    return [counted["in"], counted["out"]]
