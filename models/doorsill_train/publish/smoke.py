"""The whole road in miniature, in less than four minutes: ``python smoke.py --data D``.

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

HERE = Path(__file__).resolve().parent
SCENES, STEPS, PEOPLE = 30, 12, 64


def run(script: str, *arguments: object) -> None:
    begun = time.monotonic()
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    subprocess.run(command, check=True)
    print(f"{script}: {time.monotonic() - begun:.0f} s", flush=True)


def attributes(data: Path, out: Path) -> None:
    portraits, trained = out / "portraits", out / "attributes"
    run("portraits.py", "--data", data, "--out", portraits, "--shards", 1,
        "--held-out", 1, "--per-shard", PEOPLE)  # fmt: skip
    run("attributes.py", "--portraits", portraits, "--out", trained, "--steps", STEPS)
    run("publish_attributes.py", "--weights", trained / "best.weights.h5",
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
        run("prove.py")
        render = ["--data", args.data, "--out", worlds, "--scenes", SCENES]
        run("render.py", *render, "--worlds", 1, "--held-out", 1)
        run("doors.py", "--data", args.data, "--out", worlds, "--shops", 1,
            "--pictures", SCENES // 3)  # fmt: skip
        run("sheet.py", worlds / "000000.frames.npy", out / "sheet.png")
        run("detector.py", "--worlds", worlds, "--out", trained,
            "--variant", "tiny", "--steps", STEPS)  # fmt: skip
        run("publish.py", "--weights", trained / "last.weights.h5", "--worlds", worlds,
            "--variant", "tiny", "--status", "experimental", "--commit", "none",
            "--threshold", 0.02, "--out", out)  # fmt: skip
        run("held_out.py", "--worlds", worlds, out / "detector.toml")
        attributes(args.data, out)


if __name__ == "__main__":
    main()
