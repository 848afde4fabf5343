"""What ``doorsill enrol`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import number

WAIT_S = 600.0  # for a fleet that is down, or a person who has to approve
EPILOG = """\
examples:
  doorsill enrol                                   type the voucher
  doorsill enrol --voucher voucher.txt
  doorsill enrol --to trial --camera street
  doorsill enrol --renew                           what a timer does

A key is made here and never leaves. Fetches certificate, broker and first policy from
the fleet, and wipes the voucher. A voucher may also lie on the boot partition, as
doorsill-voucher.txt. What was cut is taken up again: run it once more.
Exit code: 3 the fleet refuses, or is not the voucher's; 5 it does not answer.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    words = "join the fleet with a voucher, or renew the certificate"
    parser = command(commands, "enrol", words, EPILOG, "doorsill.cli.enrol:run")
    parser.add_argument(
        "--voucher", type=Path, metavar="FILE", help="one line; it is wiped when read"
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("/etc/doorsill"),
        metavar="FOLDER",
        help="where a camera's files are",
    )
    parser.add_argument(
        "--camera",
        default="picamera",
        metavar="DRIVER[:SOURCE]",
        help="for a first configuration: picamera, video:/dev/video0, or street",
    )
    parser.add_argument(
        "--wait",
        type=number(0, 1e7),
        default=WAIT_S,
        metavar="SECONDS",
        help="how long to try again",
    )
    parser.add_argument(
        "--renew", action="store_true", help="at two thirds of the certificate's life"
    )
