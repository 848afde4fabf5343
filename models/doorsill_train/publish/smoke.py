"""The whole road in miniature, in less than four minutes.

``python -m doorsill_train.publish.smoke --data D``

Renders 60 scenes and a shop's door, trains a tiny detector for a few steps, exports it
to int8, writes a manifest, and counts heads on held-out scenes through the firmware's
own decode; then the same for the attributes, from 128 people. It shows that the road is
whole; the numbers at its end mean nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCENES, STEPS, PEOPLE = 30, 12, 64


def run(module: str, *arguments: object) -> None:
    """``film.worlds`` and the like in a process; CalledProcessError if it fails."""
    begun = time.monotonic()
    name = f"doorsill_train.{module}"
    command = [sys.executable, "-m", name, *map(str, arguments)]
    subprocess.run(command, check=True)
    print(f"{module}: {time.monotonic() - begun:.0f} s", flush=True)


def attributes(data: Path, out: Path) -> None:
    portraits, trained = out / "portraits", out / "attributes"
    run("film.portraits", "--data", data, "--out", portraits, "--shards", 1,
        "--held-out", 1, "--per-shard", PEOPLE)  # fmt: skip
    run(
        "learn.attributes", "--portraits", portraits, "--out", trained, "--steps", STEPS
    )
    run("publish.publish_attributes", "--weights", trained / "best.weights.h5",
        "--portraits", portraits, "--status", "experimental", "--commit", "none",
        "--out", out)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="kept, if given")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        worlds, trained = out / "worlds", out / "run"
        run("film.prove")
        render = ["--data", args.data, "--out", worlds, "--scenes", SCENES]
        run("film.worlds", *render, "--worlds", 1, "--held-out", 1)
        run("film.doors", "--data", args.data, "--out", worlds, "--shops", 1,
            "--pictures", SCENES // 3)  # fmt: skip
        run("film.sheet", worlds / "000000.frames.npy", out / "sheet.png")
        run("learn.detector", "--worlds", worlds, "--out", trained,
            "--variant", "tiny", "--steps", STEPS)  # fmt: skip
        run("publish.publish", "--weights", trained / "last.weights.h5",
            "--worlds", worlds, "--variant", "tiny", "--threshold", 0.02,
            "--status", "experimental", "--commit", "none", "--out", out)  # fmt: skip
        run("judge.held_out", "--worlds", worlds, out / "detector.toml")
        attributes(args.data, out)


if __name__ == "__main__":
    main()
