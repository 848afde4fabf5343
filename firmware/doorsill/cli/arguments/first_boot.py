"""What ``doorsill first-boot`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command

EPILOG = """\
examples:
  doorsill first-boot                              what systemd starts on a flashed card
  doorsill first-boot --boot card --to trial --lamp ""

Reads doorsill.txt on the boot partition: shop, voucher, network. Sets the network,
waits for the clock, enrols, overwrites the voucher and starts counting. How far it is
stands beside that file, in doorsill-status.txt, and the status lamp shows it. What is
wrong is said with its line; corrected, it goes on. It ends with a signal.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    words = "bring a flashed card into service; what systemd starts"
    parser = command(
        commands, "first-boot", words, EPILOG, "doorsill.cli.first_boot:run"
    )
    for name, default, about in (
        ("--boot", "/boot/firmware", "the boot partition, mounted"),
        ("--to", "/etc/doorsill", "where a camera's files are"),
        ("--root", "/", "where run/ and proc/ are"),
    ):
        parser.add_argument(
            name, type=Path, default=Path(default), metavar="FOLDER", help=about
        )
    parser.add_argument(
        "--lamp",
        default="GPIO24",
        metavar="LINE",
        help="the status lamp: a line's name, or CHIP:OFFSET",
    )
