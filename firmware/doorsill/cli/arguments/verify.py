"""What ``doorsill verify`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import whole

EPILOG = """\
examples:
  doorsill verify certificates/ --ca device-ca.pem --device door-7
  doorsill verify 0000000004.json --ca device-ca.pem
  doorsill verify certificates/ --ca device-ca.pem --at-least 12
  doorsill verify certificates/ --ca device-ca.pem --crl device-ca.crl

A folder must hold a whole chain, from certificate 1 to its head. Files by themselves
must follow each other. A chain that was rolled back together with its head is found
only with --at-least and a number that was recorded elsewhere.

A device that was taken back is found only with --crl, the device CA's list.

Exit code: 0 all good; 1 verified, with reservations: the machine's surroundings, such
as swap, could hold copies; 3 refused, with the reason in one sentence.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = command(
        commands,
        "verify",
        "check blanking certificates offline",
        EPILOG,
        "doorsill.cli.verify:run",
    )
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="FOLDER|FILE",
        help="a device's folder of certificates, or some of them",
    )
    parser.add_argument(
        "--ca", type=Path, required=True, metavar="FILE", help="the device CA, PEM"
    )
    parser.add_argument(
        "--crl", type=Path, metavar="FILE", help="devices taken back, PEM or DER"
    )
    parser.add_argument(
        "--device", metavar="ID", help="refuse another device's certificates"
    )
    parser.add_argument(
        "--at-least",
        type=whole(0),
        default=0,
        metavar="N",
        help="refuse a chain that ends before certificate N",
    )
    parser.add_argument("--quiet", action="store_true", help="only the last line")
