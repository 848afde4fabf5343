"""What ``doorsill check`` takes."""

from __future__ import annotations

import argparse
from typing import Any

from doorsill.commandline.options import add_config
from doorsill.commandline.parser import command

EPILOG = """\
examples:
  doorsill check
  doorsill check --connect
  doorsill check --config shop.toml && systemctl restart doorsill.target

--connect goes to the broker: TLS, MQTT, one message that its access list must let
pass and one that it must refuse. Where the uplink runs, it is asked instead: a second
connection with its certificate would throw it out.

Run it as root on a camera: only then can it try what each unit's user may read.
Exit code: 0 when nothing is wrong (warnings are not), 2 otherwise.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = command(
        commands,
        "check",
        "say all that is wrong with a configuration",
        EPILOG,
        "doorsill.cli.check:run",
    )
    add_config(parser)
    parser.add_argument("--connect", action="store_true", help="try the broker as well")
