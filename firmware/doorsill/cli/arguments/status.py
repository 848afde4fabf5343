"""What ``doorsill status`` takes."""

from __future__ import annotations

import argparse
from typing import Any

from doorsill.commandline.options import add_config
from doorsill.commandline.parser import command

EPILOG = """\
examples:
  doorsill status
  doorsill status --config shop.toml --json

Run it as root on a camera: each process answers only its own user and root.
Exit code: 0 when everything is ok or wants a look, 1 when something is WRONG.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = command(
        commands,
        "status",
        "say what a technician needs to know",
        EPILOG,
        "doorsill.cli.status:run",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
