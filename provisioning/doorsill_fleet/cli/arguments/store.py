"""What ``doorsill-fleet export`` and ``delete`` take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import some_text

PERIODS = ("minutes", "hours", "days")
EXPORT = """\
examples:
  doorsill-fleet export --store visitors.db days.csv --by days --timezone Europe/Lisbon
  doorsill-fleet export --store visitors.db june.parquet --since 2026-06-01 \\
      --until 2026-07-01
  doorsill-fleet export --store visitors.db looks.json --looks --site porto-1

The ending of FILE says how it is written: .csv, .json or .parquet. A row is one line or
zone in one minute, hour or day. `coverage_s` says for how many seconds of it the camera
observed, `windows` how many minutes were received, `historical` how many of them came
late, and `doubted` how many name a time that cannot be, for the clock was wrong.
Exit code: 0 written; 2 a file or an option is wrong; 5 the store or the disk failed.
"""
DELETE = """\
examples:
  doorsill-fleet delete --store visitors.db --before 2025-01-01
  doorsill-fleet delete --store visitors.db --before 400d --site porto-1 --yes

Says what there is from before that day (UTC) or more days ago than that. With --yes it
is deleted, and the store notes what was deleted and when.
Exit code: 0 done; 2 a file or an option is wrong; 5 the store or the disk failed.
"""


def add_export(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``export``."""
    words = "write what was counted to a CSV, JSON or Parquet file"
    work = "doorsill_fleet.cli.export:run"
    parser = command(commands, "export", words, EXPORT, work)
    parser.add_argument("file", type=Path, metavar="FILE", help="to be written")
    add_part(parser)
    parser.add_argument(
        "--by", choices=PERIODS, default=PERIODS[0], help="what a row adds up"
    )
    parser.add_argument(
        "--timezone", default="UTC", metavar="ZONE", help="of hours, days and times"
    )
    for name, words in (("since", "from this day on"), ("until", "before this day")):
        parser.add_argument(f"--{name}", metavar="DAY", help=f"{words}, 2026-06-01")
    parser.add_argument(
        "--looks", action="store_true", help="the attributes, as they were sent"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace FILE if it is there"
    )


def add_delete(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``delete``."""
    words = "delete what is older than you want to keep"
    work = "doorsill_fleet.cli.delete:run"
    parser = command(commands, "delete", words, DELETE, work)
    add_part(parser)
    parser.add_argument(
        "--before",
        required=True,
        metavar="DAY|Nd",
        help="a day, 2025-01-01, or a number of days ago, 400d",
    )
    parser.add_argument("--yes", action="store_true", help="do it")


def add_part(parser: argparse.ArgumentParser) -> None:
    """Which store, and whether all of it."""
    parser.add_argument(
        "--store",
        type=some_text,
        required=True,
        metavar="FILE|URL",
        help="that `doorsill-fleet receive` fills",
    )
    for name, words in (("site", "shop"), ("device", "camera")):
        parser.add_argument(
            f"--{name}", default="", metavar=name.upper(), help=f"of one {words} only"
        )
