"""``doorsill count``: a recording, as fast as the machine can, and only its numbers."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from doorsill.config import ModelSection
from doorsill.counting import Tally, Wanted, count, duration
from doorsill.drivers.camera import Camera, open_camera
from doorsill.drivers.decoding import LEAST_RATE, MOST_RATE
from doorsill.drivers.png import save_png
from doorsill.errors import ConfigError
from doorsill.values import Direction
from doorsill.vision.detector import Detector
from doorsill.vision.detectors import open_detector

Point = tuple[float, float]
EPILOG = """\
the line, and what IN means (x to the right, y down, fractions of the picture):

    0,0                    1,0
     ┌──────────┬───────────┐      --line 0.5,0,0.5,1
     │          │0.5,0      │
     │   right  │   left    │      A directed line from 0.5,0 down to 0.5,1. Seen
     │  ◄────── │ ───────   │      along it, its left is the picture's right half.
     │    IN    ▼           │      IN is from its left to its right. Give the points
     └──────────┴───────────┘      the other way round to swap IN and OUT.
    0,1       0.5,1        1,1     More points make a poly-line.

A person is counted once, by the net change of side: who turns back is not counted.

examples:
  doorsill count door.mp4 --line 0.5,0,0.5,1
  doorsill count door.mp4 --line 0,0.6,1,0.6 --line 0.2,0,0.2,1 --json
  doorsill count door.mp4 --line 0.5,0,0.5,1 --save-plot tracks.png
  doorsill count /dev/video0 --seconds 60 --line 0,0.5,1,0.5     a minute from now
  doorsill count rtsp://camera/1 --seconds 60 --line 0,0.5,1,0.5
  doorsill count door.mp4 --line 0,0.5,1,0.5 --model ssd_mobilenet.tflite
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = subparsers.add_parser(
        "count",
        help="count a recording as fast as the machine can",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="a video file, a GIF, rtsp://…, /dev/video0")
    parser.add_argument(
        "--line",
        type=line_argument,
        action="append",
        required=True,
        metavar="X0,Y0,X1,Y1",
        help="a directed line (see below); may be given several times",
    )
    parser.add_argument(
        "--model",
        default="detector",
        metavar="NAME|FILE",
        help="a model of ours, or any SSD-type .tflite (default: detector)",
    )
    parser.add_argument(
        "--save-plot", type=Path, metavar="OUT.png", help="draw the tracks, no pixels"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="of the model (default: 1)"
    )
    parser.add_argument(
        "--seconds",
        type=seconds_argument,
        metavar="S",
        help="stop after this much video",
    )
    parser.add_argument(
        "--frame-rate",
        type=rate_argument,
        metavar="N",
        help="pictures a second of a recording that does not say it, such as a raw one",
    )
    parser.add_argument(
        "--every-frame", action="store_true", help="infer where nothing moves, too"
    )
    parser.set_defaults(func=run)


def line_argument(text: str) -> tuple[Point, ...]:
    """``X0,Y0,X1,Y1[,…]`` as points, or a sentence on what is wrong."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) < 4 or len(numbers) % 2:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be X0,Y0,X1,Y1, such as 0.5,0,0.5,1"
        )
    if not all(0.0 <= number <= 1.0 for number in numbers):
        raise argparse.ArgumentTypeError(
            f"{text!r} lies outside the picture; x and y go from 0 to 1"
        )
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if any(a == b for a, b in itertools.pairwise(points)):
        raise argparse.ArgumentTypeError(f"{text!r} has a stretch of no length")
    return points


def seconds_argument(text: str) -> float:
    """A length of time, or a sentence on what is wrong."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a number of seconds above 0"
        )
    return seconds


def rate_argument(text: str) -> float:
    """Frames a second, or a sentence on what is wrong."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be {LEAST_RATE:g} to {MOST_RATE:g} frames a second"
        )
    return rate


def run(args: argparse.Namespace) -> int:
    """Count, and say what was counted."""
    if args.save_plot and args.save_plot.suffix.lower() != ".png":
        raise ConfigError(f"--save-plot {args.save_plot}: only .png can be written")
    detector = open_detector(ModelSection(detector=args.model, threads=args.threads))
    camera = open_camera(
        "video", args.source, detector.fit, declared_rate=args.frame_rate, live=False
    )
    try:
        tally = _counted(camera, detector, args)
    finally:
        camera.close()
    if args.save_plot:
        assert tally.plot is not None  # noqa: S101 - made when asked for
        save_png(args.save_plot, tally.plot.draw(args.line, tally.aspect))
    if args.json:
        sys.stdout.write(json.dumps(as_json(tally)) + "\n")
    else:
        _print_tables(tally, args)
    return 0


def _counted(camera: Camera, detector: Detector, args: argparse.Namespace) -> Tally:
    """Count with a progress bar."""
    with _progress() as progress:
        length = args.seconds or duration(camera)
        task = progress.add_task("counting", total=length, people="")

        def tell(tally: Tally) -> None:
            progress.update(task, completed=tally.reached, people=_people(tally))

        wanted = Wanted(args.line, args.seconds, args.every_frame, bool(args.save_plot))
        return count(camera, detector, wanted, tell)


def as_json(tally: Tally) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    return {
        "frames": tally.frames,
        "fps": round(tally.fps, 2),
        "lines": [{"in": each[0], "out": each[1]} for each in tally.lines],
        "stages_ms": {k: round(v, 4) for k, v in tally.stages_ms.items()},
        "gated": tally.gated,
        "seconds": round(tally.seconds, 3),
    }


def _people(tally: Tally) -> str:
    return "  ".join(f"in {each[0]} out {each[1]}" for each in tally.lines)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[people]}"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def _print_tables(tally: Tally, args: argparse.Namespace) -> None:
    console = Console()
    lines = Table("line", "points", "in", "out")
    for number, (points, totals) in enumerate(zip(args.line, tally.lines, strict=True)):
        shown = " → ".join(f"{x:g},{y:g}" for x, y in points)
        counted = (str(totals[each]) for each in (Direction.IN, Direction.OUT))
        lines.add_row(str(number + 1), shown, *counted)
    stages = Table("stage", "ms a frame", "s in all")
    for name, milliseconds in tally.stages_ms.items():
        if milliseconds:
            in_all = milliseconds * tally.frames / 1000
            stages.add_row(name, f"{milliseconds:.3f}", f"{in_all:.2f}")
    console.print(lines)
    console.print(stages)
    console.print(
        f"{tally.frames} frames in {tally.seconds:.1f} s: {tally.fps:.0f} frames/s; "
        f"nothing moved in {tally.gated} of them"
    )
    if args.save_plot:
        console.print(
            f"tracks drawn in {args.save_plot}: teal went IN, orange OUT, thin grey "
            "was not counted; the line's short arm shows where IN leads"
        )
