"""What ``doorsill demo`` takes."""

from __future__ import annotations

import argparse
from typing import Any

from doorsill.commandline.options import add_line, seconds_argument
from doorsill.commandline.parser import command

SECONDS = 60.0  # length of a demo, if none is given
EPILOG = """\
examples:
  doorsill demo                                     a minute of the simulated street
  doorsill demo --seconds 20
  doorsill demo --source door.mp4 --line 0.5,0,0.5,1
  doorsill demo --token                             a consent card comes and goes

Starts mosquitto on loopback with a throw-away authority and mutual TLS 1.3, the vision
and uplink processes (confined) and a subscriber, and leaves nothing running.
With --verbose it shows what the processes log.

Exit code: 0 when all went well; 1 when a process failed, when a count differs from the
truth by more than the table says, or when the card did not open the vault.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = command(
        commands,
        "demo",
        "the whole system on this machine, with known truth",
        EPILOG,
        "doorsill_fleet.demo.cli:run",
    )
    parser.add_argument(
        "--seconds",
        type=seconds_argument,
        default=SECONDS,
        metavar="S",
        help="how long",
    )
    parser.add_argument(
        "--source", default="", metavar="FILE", help="a recording, not the street"
    )
    words = "a directed line for --source; IN is from its left to its right"
    add_line(parser, words)
    parser.add_argument(
        "--model", default="detector", metavar="NAME", help="a model of ours"
    )
    parser.add_argument(
        "--token", action="store_true", help="a consent card takes part"
    )
