"""What ``doorsill models`` takes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from doorsill.commandline.options import (
    MOST_THREADS,
    add_delegate,
    add_line,
    rate_argument,
)
from doorsill.commandline.parser import Parser, command
from doorsill.commandline.values import whole

WORK = "doorsill.cli.models"
RUNS = 200  # of a measurement, if no number is given
MOST_RUNS = 100_000  # of a measurement
BENCH_THREADS = [1, 2]  # of a measurement, if no number is given
# Whose hashes are pinned.
FETCHED = ("ssd-mobilenet-v1", "ssd-mobilenet-v2-oidv4", "efficientdet-lite0")
EPILOG = """\
examples:
  doorsill models list
  doorsill models info detector
  doorsill models verify
  doorsill models bench detector other.tflite --threads 1,2
  doorsill models bench detector other.tflite --on door.mp4 --line 0.5,0,0.5,1
  doorsill models evaluate detector --data clips/ --labels labels.json
  doorsill models fetch ssd-mobilenet-v1 --to models/
  doorsill models compile-edgetpu detector --to models/

A model is named (such as detector) or given as a path to a manifest (.toml) or to a
detector's file (.tflite, .lite).
"""
LIST = """\
examples:
  doorsill models list
"""
INFO = """\
examples:
  doorsill models info detector
  doorsill models info ssd_mobilenet.tflite
"""
VERIFY = """\
examples:
  doorsill models verify                        all that came with this installation
  doorsill models verify detector
"""
BENCH = """\
examples:
  doorsill models bench detector
  doorsill models bench detector other.tflite --threads 1,2,4 --runs 500
  doorsill models bench detector other.tflite --on door.mp4
  doorsill models bench detector other.tflite --on door.mp4 --line 0.5,0,0.5,1 --json
  doorsill models bench detector other.tflite --on door.mp4 --labels labels.json
  doorsill models bench other_edgetpu.tflite --delegate libedgetpu.so.1

Without --on, one picture of grey is measured, with each runtime that is installed.
With --on, all models look at every picture of a recording, in turn: how long each
takes for one (preparing and decoding included), in how many pictures it finds
somebody, how many people are followed, and who crosses the lines. Labels (see doorsill
models evaluate) say how many of the people that are there it finds; those in
labels.json beside the recording are taken without being named.
"""
EVALUATE = """\
examples:
  doorsill models evaluate detector --data clips/
  doorsill models evaluate detector --data clips/ --labels labels.json

A label file is JSON: {"clips": {"door.mp4": {"17": {"heads": [[x0, y0, x1, y1]],
"people": [...], "ignore": [...]}}}}, boxes in 0..1, "17" the number of the frame.
Where the labels hold no frame of a clip, that clip is not looked at.
"""
FETCH = """\
examples:
  doorsill models fetch                         list them, and what of them was verified
  doorsill models fetch ssd-mobilenet-v1 --to models/
  doorsill models fetch efficientdet-lite0 --url https://mirror.example/model.tflite

A stopped one goes on with the same command. A file that is not the model itself is
never replaced.
"""
COMPILE = """\
examples:
  doorsill models compile-edgetpu detector --to models/

Needs the Edge TPU compiler of coral.ai/docs/edgetpu/compiler.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    words = "list, verify, measure and fetch models"
    group = command(commands, "models", words, EPILOG)
    actions = group.add_subparsers(metavar="ACTION", required=True)

    def add(name: str, words: str, examples: str) -> Parser:
        work = name.partition("-")[0]
        return command(actions, name, words, examples, f"{WORK}:{work}_models")

    add("list", "the models that came with this installation", LIST)
    info = add("info", "all that a manifest says", INFO)
    info.add_argument("model", metavar="NAME|FILE", help="of ours, or a file")
    add_delegate(info)
    verify = add("verify", "check hashes and tensors", VERIFY)
    verify.add_argument(
        "models",
        nargs="*",
        metavar="NAME|FILE",
        help="all that came with this installation, if not given",
    )
    _add_bench(add("bench", "latency per runtime and number of threads", BENCH))
    _add_evaluate(add("evaluate", "precision and recall on labelled clips", EVALUATE))
    _add_fetch(add("fetch", "fetch a well-known detector", FETCH))
    _add_compile(add("compile-edgetpu", "run your Edge TPU compiler", COMPILE))


def threads_argument(text: str) -> list[int]:
    """Numbers of threads such as ``1,2,4``."""
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", text):
        raise argparse.ArgumentTypeError(f"{text} is not a list such as 1,2,4")
    numbers = [int(each) for each in text.split(",")]
    if not 1 <= min(numbers) <= max(numbers) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(
            f"{text} must lie between 1 and {MOST_THREADS}"
        )
    return numbers


def _add_bench(bench: argparse.ArgumentParser) -> None:
    bench.add_argument("models", nargs="+", metavar="NAME|FILE", help="to be measured")
    bench.add_argument(
        "--threads",
        type=threads_argument,
        metavar="N,N",
        help="numbers of threads, such as 1,2,4 (default: 1,2, or 1 with --on)",
    )
    bench.add_argument(
        "--runs", type=whole(1, MOST_RUNS), default=RUNS, metavar="N", help="of each"
    )
    bench.add_argument("--on", metavar="CLIP", help="compare them on this recording")
    words = "with --on: a directed line to count at; may be given several times"
    add_line(bench, words)
    bench.add_argument(
        "--labels", type=Path, metavar="FILE", help="with --on: who is really there"
    )
    bench.add_argument(
        "--frame-rate",
        type=rate_argument,
        metavar="N",
        help="with --on: pictures a second of a recording that does not say it",
    )
    bench.add_argument(
        "--json", action="store_true", help="with --on: print one JSON object"
    )
    add_delegate(bench)


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("models", nargs="+", metavar="NAME|FILE", help="to be judged")
    evaluate.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="the clips"
    )
    evaluate.add_argument(
        "--labels", type=Path, metavar="FILE", help="(default: labels.json beside them)"
    )


def _add_fetch(fetch: argparse.ArgumentParser) -> None:
    fetch.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        choices=FETCHED,
        help=f"{' or '.join(FETCHED)}; without it, they are listed",
    )
    _add_to(fetch)
    fetch.add_argument(
        "--url", default="", metavar="URL", help="a mirror; the hash stays the same"
    )


def _add_compile(compile_: argparse.ArgumentParser) -> None:
    compile_.add_argument("model", metavar="NAME|FILE", help="of ours, or a file")
    _add_to(compile_)
    compile_.add_argument(
        "--compiler",
        default="edgetpu_compiler",
        metavar="PROGRAM",
        help="its name, or where it is",
    )


def _add_to(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where to (default: here)",
    )
