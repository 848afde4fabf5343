"""Start: `doorsill run --only vision`, from its call to its first frame, of the street.

The process is the product's own, confined as ever; at its first frame it ends.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rows import Row
from limits import MEASURED_S

from doorsill.config import load_config
from doorsill.drivers.camera.clip import street_truth
from doorsill.services.children import WIPING, prepare
from doorsill_fleet.stage.shop import Stage

FIRST_FRAME_MOST_S = 1.0
TURNS = 9
SEEN = 77  # how it ends at its first frame; it may write nothing by then
PROGRAM = f"""\
import os, sys
from doorsill.cli.main import main
from doorsill.vision.pipeline import Pipeline
def step(self, frame):
    os._exit({SEEN})
Pipeline.step = step
sys.exit(main())
"""


def rows() -> list[Row]:
    """One row: the middle of some turns, all files in memory."""
    with tempfile.TemporaryDirectory() as folder:
        x0, y0, x1, y1 = street_truth()["line"]
        stage = Stage(Path(folder), (((x0, y0), (x1, y1)),))
        stage.set()
        prepare(load_config(stage.configuration))
        found = [_seconds(stage.configuration) for _ in range(TURNS)]
    middle = statistics.median(found)
    return [
        Row(
            "start: `doorsill run --only vision` to its first frame",
            f"{middle:.2f} s ({min(found):.2f} to {max(found):.2f})",
            {},
            f"<= {FIRST_FRAME_MOST_S:.1f} s",
            middle <= FIRST_FRAME_MOST_S,
        )
    ]


def _seconds(configuration: Path) -> float:
    words = [sys.executable, "-c", PROGRAM, "run", "--only", "vision"]
    began = time.monotonic()
    done = subprocess.run(
        [*words, "--config", str(configuration)],
        env={**os.environ, **WIPING},
        capture_output=True,
        check=False,
        timeout=MEASURED_S,
    )
    took = time.monotonic() - began
    if done.returncode != SEEN:
        raise RuntimeError(f"it ended with {done.returncode}: {done.stderr.decode()}")
    return took
