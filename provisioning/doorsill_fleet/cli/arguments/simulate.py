"""What ``doorsill-fleet simulate`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import number

WAIT_S = 300.0  # for a server that starts at the same moment, on a busy machine
EPILOG = """\
examples:
  doorsill-fleet simulate vouchers.csv
  doorsill-fleet simulate vouchers.csv --to trial/cameras --seconds 120

For a trial of the office on one machine: each voucher of the table that `device add`
wrote becomes a camera, enrolled as `doorsill enrol` does it, that sends what a real one
sends. Nobody is filmed: a die says who comes. Started again, it takes the cameras that
are in FOLDER. Those that are not enrolled yet wait for `doorsill-fleet serve`.
SIGTERM or Ctrl-C stops: the open minute is closed and sent first.
Exit code: 0 stopped when asked to; 2 a file or an option is wrong; 3 refused by the
fleet; 5 the fleet or the broker was never reached.
"""


def add_simulate(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``simulate``."""
    words = "play cameras that have no lens, for a trial"
    parser = command(
        commands, "simulate", words, EPILOG, "doorsill_fleet.cli.simulate:run"
    )
    parser.add_argument(
        "vouchers", type=Path, metavar="FILE", help="the table that `device add` wrote"
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("cameras"),
        metavar="FOLDER",
        help="where the cameras' files are",
    )
    parser.add_argument(
        "--wait",
        type=number(0.0),
        default=WAIT_S,
        metavar="S",
        help="longest wait for `serve` to answer",
    )
    parser.add_argument(
        "--seconds",
        type=number(1.0),
        metavar="S",
        help="stop by itself after S seconds (default: only at a signal)",
    )
