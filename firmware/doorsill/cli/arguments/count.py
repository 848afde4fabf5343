"""What ``doorsill count`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.options import (
    MOST_THREADS,
    RUNTIMES,
    add_delegate,
    add_line,
    rate_argument,
    seconds_argument,
    start_argument,
)
from doorsill.commandline.parser import command
from doorsill.commandline.values import whole

EPILOG = """\
the line, and what IN means:

  0,0                  1,0
   ┌─────────┬──────────┐
   │         │0.5,0     │
   │  right  │   left   │
   │  ◄───── │ ──────   │
   │    IN   ▼          │
   └─────────┴──────────┘
  0,1      0.5,1       1,1

--line 0.5,0,0.5,1 is a directed line from 0.5,0 down to 0.5,1; x goes to the right,
y down, as fractions of the picture. Seen along the line, its left is the picture's
right half. IN is from its left to its right. Give the points the other way round to
swap IN and OUT. More points make a poly-line.

A person is counted once, by the net change of side: who turns back is not counted.
Ctrl-C, and damage in a recording, end with what was counted until then.

examples:
  doorsill count door.mp4 --line 0.5,0,0.5,1
  doorsill count door.mp4 --line 0,0.6,1,0.6 --line 0.2,0,0.2,1 --json
  doorsill count mon.mp4 tue.mp4 --policy policy.toml --csv crossings.csv
  doorsill count door.mp4 --line 0.5,0,0.5,1 --save-plot tracks.svg
  doorsill count door.h264 --line 0.5,0,0.5,1 --frame-rate 12.5
  doorsill count /dev/video0 --seconds 60 --line 0,0.5,1,0.5     a minute from now
  doorsill count rtsp://camera/1 --seconds 60 --line 0,0.5,1,0.5
  doorsill count door.mp4 --line 0,0.5,1,0.5 --model ssd_mobilenet.tflite
  doorsill count door.mp4 --line 0,0.5,1,0.5 --model ssd_edgetpu.tflite \\
      --delegate libedgetpu.so.1
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = command(
        commands,
        "count",
        "count a recording as fast as the machine can",
        EPILOG,
        "doorsill.cli.count:run",
    )
    parser.add_argument(
        "source",
        nargs="+",
        help="a video file, a GIF, rtsp://…, /dev/video0; several give a total as well",
    )
    add_line(parser, "a directed line (see below); may be given several times")
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="count with the lines, zones and hours of a policy or its draft",
    )
    parser.add_argument(
        "--starts",
        type=start_argument,
        metavar="TIME",
        help="when it begins, for the policy's hours, as 2026-11-23T09:00+01:00",
    )
    _add_model(parser)
    _add_output(parser)
    _add_recording(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="detector",
        metavar="NAME|FILE",
        help="one of ours, or a detector's .tflite, .lite or .toml",
    )
    add_delegate(parser)
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default=RUNTIMES[0],
        help="of the model; tflite-runtime needs the extra [legacy]",
    )
    parser.add_argument(
        "--threads",
        type=whole(1, MOST_THREADS),
        default=1,
        metavar="N",
        help=f"of the model, at most {MOST_THREADS}",
    )


def _add_recording(parser: argparse.ArgumentParser) -> None:
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


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--save-plot",
        type=Path,
        metavar="OUT.svg",
        help="draw tracks and lines, no pixels; an .svg explains itself, a .png not",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write each crossing with its time"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the plot and the CSV of before"
    )
