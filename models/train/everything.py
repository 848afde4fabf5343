"""Make the shipped models again: ``python everything.py --data DATA --work FOLDER``.

About 85 minutes on two quiet cores: rendering 15, detector 47, portraits 13,
attributes 10. Every step goes on where it was stopped. Weights differ in their last
digits from one processor to the next, so the models will be alike, not equal; worlds,
portraits and the street are equal by seed on one renderer.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from smoke import run

WORLDS, HELD_OUT = 36, 4
RUNS = ((3250, 3e-3), (800, 3e-3), (550, 1.5e-3))  # steps and highest rate
PORTRAIT_SHARDS, ATTRIBUTES_STEPS = 26, 3000


def commit() -> str:
    """The training code's, for the manifests."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    here = Path(__file__).resolve().parent
    return subprocess.check_output(command, cwd=here, text=True).strip()


def train_detector(worlds: Path, folder: Path) -> Path:
    """A long run and warm restarts, each of which ended in a lower loss."""
    weights: list[object] = []
    for number, (steps, rate) in enumerate(RUNS, 1):
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
    args = parser.parse_args()
    print(__doc__.split("\n\n")[1], flush=True)
    worlds, portraits = args.work / "worlds", args.work / "portraits"
    detector, attributes = args.work / "detector", args.work / "attributes"
    made = ["--status", args.status, "--commit", commit()]
    run("render.py", "--data", args.data, "--out", worlds, "--worlds", WORLDS,
        "--held-out", HELD_OUT)  # fmt: skip
    weights = train_detector(worlds, detector)
    run("publish.py", "--weights", weights, "--worlds", worlds, *made)
    run("portraits.py", "--data", args.data, "--out", portraits,
        "--shards", PORTRAIT_SHARDS, "--held-out", HELD_OUT)  # fmt: skip
    people = ["--portraits", portraits, "--worlds", worlds]
    run("attributes.py", *people, "--out", attributes, "--start", weights,
        "--steps", ATTRIBUTES_STEPS)  # fmt: skip
    weights = attributes / "last.weights.h5"
    run("publish_attributes.py", "--weights", weights, *people, *made)
    run("golden.py")


if __name__ == "__main__":
    main()
