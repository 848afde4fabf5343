"""Make the shipped models again: ``python everything.py --data DATA --work FOLDER``.

About three hours on two quiet cores, from measured paces: rendering 20
minutes, detector 110, portraits and attributes 40. Every step goes on where it was
stopped. ``--start WEIGHTS`` trains the detector on instead of from nothing, for example
from what ``recover.py`` reads out of a shipped file: the last run alone. Weights
differ in their last digits from one processor to the next, so the models will be
alike, not equal; worlds, portraits and the street are equal by seed on one renderer.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from smoke import run

WORLDS, HELD_OUT = 26, 4
# Steps and highest rate of each run; a warm restart begins where the last one ended.
RUNS = ((3250, 3e-3), (800, 3e-3), (550, 1.5e-3), (2500, 2e-3))
PORTRAIT_SHARDS, HELD_OUT_SHARDS, ATTRIBUTES_STEPS = 28, 20, (11000, 2000)


def commit() -> str:
    """The training code's, for the manifests."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    here = Path(__file__).resolve().parent
    return subprocess.check_output(command, cwd=here, text=True).strip()


def train_detector(worlds: Path, folder: Path, start: Path | None) -> Path:
    """A long run and warm restarts, each of which ended in a lower loss."""
    weights: list[object] = ["--start", start] if start else []
    for number, (steps, rate) in enumerate(RUNS[-1:] if start else RUNS, 1):
        out = folder / str(number)
        run("detector.py", "--worlds", worlds, "--out", out, "--steps", steps,
            "--rate", rate, "--seed", number, *weights)  # fmt: skip
        weights = ["--start", out / "last.weights.h5"]
    return out / "last.weights.h5"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--status", default="experimental")
    parser.add_argument("--start", type=Path, help="a detector's weights to go on from")
    args = parser.parse_args()
    print(__doc__.split("\n\n")[1], flush=True)
    worlds, portraits = args.work / "worlds", args.work / "portraits"
    detector, attributes = args.work / "detector", args.work / "attributes"
    made = ["--status", args.status, "--commit", commit()]
    run("render.py", "--data", args.data, "--out", worlds, "--worlds", WORLDS,
        "--held-out", HELD_OUT)  # fmt: skip
    weights = train_detector(worlds, detector, args.start)
    run("publish.py", "--weights", weights, "--worlds", worlds, *made)
    run("portraits.py", "--data", args.data, "--out", portraits,
        "--shards", PORTRAIT_SHARDS, "--held-out", HELD_OUT_SHARDS)  # fmt: skip
    people = ["--portraits", portraits]
    first, again = ATTRIBUTES_STEPS
    run("attributes.py", *people, "--out", attributes / "1", "--steps", first,
        "--start", weights)  # fmt: skip
    run("attributes.py", *people, "--out", attributes / "2", "--steps", again,
        "--again", attributes / "1" / "best.weights.h5")  # fmt: skip
    weights = attributes / "2" / "best.weights.h5"
    run("publish_attributes.py", "--weights", weights, *people, *made)
    run("golden.py")


if __name__ == "__main__":
    main()
