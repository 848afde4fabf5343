"""Make the shipped models again.

``python -m doorsill_train.publish.everything --data DATA --work FOLDER``

About eight hours on two quiet cores, reckoned, as none has ended on the wider network:
rendering 25 minutes, detector 125, doors 15, the detector again 95, more worlds 15 and
the detector once more 75, portraits 10, attributes 25, and a gigabyte of packages. The
detector's pace, 30 pictures a second, is the one of the shipped run. With ``--scale
0.01 --plain`` four minutes.

Every step goes on where it was stopped, and one that has ended is not run again while
its arguments stay the same (``FOLDER/done``). ``--start WEIGHTS`` trains the detector
on instead of from nothing, for example from what ``publish.recover`` reads out of a
shipped file. ``--scale 0.01`` goes the whole road with a hundredth of all worlds,
scenes, people and steps, in a folder of its own, never over what is shipped.
``--plain`` fetches no photographs: all surfaces are invented (docs/training.md).
``--onward FILE`` is the run that fits into an afternoon: from a shipped detector's file
on, with fewer worlds and doors and in one go; the attributes stay as they are.
``--cycles 0.1`` has a tenth of the detector's scenes path-traced (`make cycles` first).

Weights differ in their last digits from one processor to the next, so the models will
be alike, not equal; worlds, portraits and the street are equal by seed on one renderer.
The renderer goes on: to see a shipped model's own worlds, check out the training commit
in its manifest.
"""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import dataclass
from pathlib import Path

from doorsill_train.publish import smoke
from doorsill_train.shipped import MODELS

WORLDS, MORE_WORLDS = 40, 64  # for the first run, for the last
HELD_OUT_WORLDS = 6
STEPS, ABOVE = 7000, 1.3  # how often scenes from above are drawn
SHOPS, PICTURES = 120, 50  # filmed doors, for the second run
MORE_STEPS, LAST_STEPS, MORE_RATE = 5000, 4000, 2e-3
# From a shipped file on: what two quiet cores do in about an hour and a half.
ON_WORLDS, ON_SHOPS, ON_STEPS, ON_RATE = 24, 120, 3000, 1e-3
DETECTOR = ("--version", "0.10.0", "--threshold", 0.3, "--sure", 0.5)
ATTRIBUTES = ("--version", "0.5.0")
ATTRIBUTES_STEPS = (7000, 4000)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything; 1 makes what is shipped."""

    factor: float

    def of(self, whole: int, least: int = 1) -> int:
        return max(least, round(whole * self.factor))

    def folders(self, work: Path, out: Path | None) -> tuple[Path, Path]:
        """Where everything is made, and where the models go.

        SystemExit, where a smaller model would take the place of a shipped one.
        """
        if self.factor == 1:
            return work, out or MODELS
        if out and out.resolve() == MODELS:
            raise SystemExit(f"--scale {self.factor:g} does not write over {MODELS}")
        work = work / f"scale-{self.factor:g}"
        return work, out or work / "models"


class Road:
    """Runs one module after the other; remembers in a folder which have ended."""

    def __init__(self, done: Path):
        self.done = done
        done.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, module: str, *arguments: object) -> None:
        note, command = self.done / name, " ".join(map(str, (module, *arguments)))
        if note.exists() and note.read_text() == command:
            print(f"{name}: was made before", flush=True)
            return
        print(f"{name}: {command}", flush=True)
        smoke.run(module, *arguments)
        note.write_text(command)


def commit() -> str:
    """The training code's, for the manifests."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.check_output(command, cwd=MODELS, text=True).strip()


def detector(
    road: Road,
    scale: Scale,
    data: Path,
    work: Path,
    start: Path | None,
    cycles: float,
    photographs: bool = True,
) -> tuple[Path, Path]:
    """Worlds and a long run; the doors of shops and a second one; from the mean of
    both, with more worlds, a third.

    The first run's weights, with which the attributes begin, and the last one's.
    """
    worlds, out, again = work / "worlds", work / "detector", work / "detector-doors"
    last, held_out = work / "detector-last", scale.of(HELD_OUT_WORLDS)
    real = ["--photographs", work / "photographs"] if photographs else []
    if photographs:
        road.run("photographs", "publish.photographs", "--out", real[-1])
    traced = [*(["--cycles", cycles] if cycles else []), *real]
    rendered = ["--data", data, "--out", worlds, "--held-out", held_out,
                "--scenes", scale.of(200, 30), *traced]  # fmt: skip
    road.run("worlds", "film.worlds", *rendered, "--worlds", scale.of(WORLDS))
    weights = ["--start", start] if start else []
    road.run("detector", "learn.detector", "--worlds", worlds, "--out", out,
             "--steps", scale.of(STEPS, 8), "--above", ABOVE, *weights)  # fmt: skip
    shops = ["--shops", scale.of(SHOPS), "--pictures", scale.of(PICTURES, 10), *real]
    road.run("doors", "film.doors", "--data", data, "--out", worlds, *shops)
    road.run("detector-doors", "learn.detector", "--worlds", worlds, "--out", again,
             "--steps", scale.of(MORE_STEPS, 8), "--rate", MORE_RATE, "--above", ABOVE,
             "--start", out / "last.weights.h5")  # fmt: skip
    mean = again / "mean.weights.h5"
    road.run("mean", "learn.mean", out / "last.weights.h5", again / "last.weights.h5",
             "--out", mean)  # fmt: skip
    road.run(
        "more-worlds", "film.worlds", *rendered, "--worlds", scale.of(MORE_WORLDS, 2)
    )
    road.run("detector-last", "learn.detector", "--worlds", worlds, "--out", last,
             "--steps", scale.of(LAST_STEPS, 8), "--rate", MORE_RATE, "--above", ABOVE,
             "--start", mean)  # fmt: skip
    return out / "last.weights.h5", last / "last.weights.h5"


def onward(
    road: Road, scale: Scale, data: Path, work: Path, file: Path, photographs: bool
) -> Path:
    """One run from a shipped file on; the mean of its two ends, as was shipped."""
    worlds, out, start = work / "worlds", work / "onward", work / "start.weights.h5"
    real = ["--photographs", work / "photographs"] if photographs else []
    if photographs:
        road.run("photographs", "publish.photographs", "--out", real[-1])
    rendered = ["--data", data, "--out", worlds, *real]
    road.run("worlds", "film.worlds", *rendered, "--worlds", scale.of(ON_WORLDS),
             "--held-out", scale.of(HELD_OUT_WORLDS),
             "--scenes", scale.of(200, 30))  # fmt: skip
    road.run("doors", "film.doors", *rendered, "--shops", scale.of(ON_SHOPS),
             "--pictures", scale.of(PICTURES, 10))  # fmt: skip
    known, last = ["--worlds", worlds], out / "last.weights.h5"
    road.run("recover", "publish.recover", "--file", file, *known, "--out", start)
    road.run("onward", "learn.detector", *known, "--out", out, "--start", start,
             "--steps", scale.of(ON_STEPS, 8), "--rate", ON_RATE)  # fmt: skip
    mean = out / "mean.weights.h5"
    road.run("mean", "learn.mean", start, last, *known, "--out", mean)
    return mean


def attributes(
    road: Road, scale: Scale, data: Path, work: Path, start: Path
) -> tuple[Path, Path]:
    """Portraits, a run that begins with the detector's first layers, and a restart."""
    portraits, runs = work / "portraits", work / "attributes"
    road.run("portraits", "film.portraits", "--data", data, "--out", portraits,
             "--shards", scale.of(38), "--held-out", scale.of(40),
             "--per-shard", scale.of(500, 64))  # fmt: skip
    people, (first, again) = ["--portraits", portraits], ATTRIBUTES_STEPS
    road.run("attributes-1", "learn.attributes", *people, "--out", runs / "1",
             "--steps", scale.of(first, 8), "--start", start)  # fmt: skip
    road.run("attributes-2", "learn.attributes", *people, "--out", runs / "2",
             "--steps", scale.of(again, 8),
             "--again", runs / "1" / "best.weights.h5")  # fmt: skip
    return portraits, runs / "2" / "best.weights.h5"


def published(
    road: Road, weights: Path, worlds: Path, out: Path, *more: object
) -> None:
    """The int8 file, its manifest and whom it finds on held-out worlds."""
    road.run("publish", "publish.publish", "--weights", weights, "--worlds", worlds,
             *more, *DETECTOR, "--out", out)  # fmt: skip
    road.run("groups", "judge.groups", "--worlds", worlds,
             "--out", out / "eval/detector.json", out / "detector.toml")  # fmt: skip


def the_rest(
    road: Road, scale: Scale, data: Path, work: Path, start: Path, out: Path,
    made: list[object],
) -> None:  # fmt: skip
    """The attributes, and what the cards hold of both models."""
    portraits, best = attributes(road, scale, data, work, start)
    road.run("publish-attributes", "publish.publish_attributes", "--weights", best,
             "--portraits", portraits, *made, *ATTRIBUTES, "--out", out)  # fmt: skip
    road.run("shares", "judge.shares", out / "eval/attributes.json",
             "--out", out / "eval/shares.json")  # fmt: skip
    road.run("tables", "judge.tables", "--models", out)
    road.run("golden", "publish.golden", "--models", out)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where the models go")
    parser.add_argument("--scale", type=float, default=1.0, help="share of everything")
    parser.add_argument("--status", default="experimental")
    parser.add_argument("--start", type=Path, help="a detector's weights to go on from")
    onward = "a shipped detector's file to go on from, in one short run"
    parser.add_argument("--onward", type=Path, metavar="FILE", help=onward)
    parser.add_argument("--cycles", type=float, default=0.0, help="path-traced share")
    plain = "without photographs: nothing is fetched, all surfaces are invented"
    parser.add_argument("--plain", action="store_true", help=plain)
    return parser.parse_args()


def main() -> None:
    args = parsed()
    scale, data, real = Scale(args.scale), args.data, not args.plain
    work, out = scale.folders(args.work, args.out)
    if args.onward and not args.out:
        out = work / "models"  # it ships only if it is better
    (out / "eval").mkdir(parents=True, exist_ok=True)
    road, worlds = Road(work / "done"), work / "worlds"
    made: list[object] = ["--status", args.status, "--commit", commit()]
    if args.onward:
        weights = onward(road, scale, data, work, args.onward, real)
        published(road, weights, worlds, out, *made)
    else:
        print(__doc__.split("\n\n")[2], flush=True)  # how long it takes
        first, weights = detector(
            road, scale, data, work, args.start, args.cycles, real
        )
        published(road, weights, worlds, out, *made)
        the_rest(road, scale, data, work, first, out, made)
    print(f"the models are in {out}")


if __name__ == "__main__":
    main()
