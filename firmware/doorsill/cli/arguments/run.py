"""What ``doorsill run`` takes."""

from __future__ import annotations

import argparse
from typing import Any

from doorsill.commandline.options import add_config
from doorsill.commandline.parser import command
from doorsill.config import PROCESSES

EPILOG = """\
examples:
  doorsill run --config shop.toml                  all processes, on a laptop
  doorsill run --only vision --config /etc/doorsill/doorsill.toml    what systemd does

SIGTERM or Ctrl-C stops: the running window is closed and handed on first.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = command(
        commands,
        "run",
        "count at a door; what systemd starts on a camera",
        EPILOG,
        "doorsill.cli.run:run",
    )
    add_config(parser)
    parser.add_argument(
        "--only",
        choices=tuple(PROCESSES),
        help="one process of them (default: all, side by side)",
    )
