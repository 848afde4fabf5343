"""What ``doorsill vault`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.options import add_config, add_reader
from doorsill.commandline.parser import command

WORK = "doorsill.cli.vault"
EPILOG = """\
examples:
  doorsill vault list                          blank or open, and how much is sealed
  doorsill vault export faces.sealed           while the card is in; ciphertext only
  doorsill vault open faces.sealed --to faces --ca device-ca.pem
                                               on any machine, with the card and its PIN
  doorsill vault blank                         always allowed; leaves a certificate

All but open take --config FILE.
"""
LIST = """\
examples:
  doorsill vault list
  doorsill vault list --config shop.toml
"""
EXPORT = """\
examples:
  doorsill vault export faces.sealed           while the card is in; ciphertext only

An existing file is never replaced.
"""
BLANK = """\
examples:
  doorsill vault blank                         always allowed; leaves a certificate

Exit code: 0 when every byte was read back as blank; 1 when the key is destroyed but
the medium has no power, so that it could not be read back yet.
"""
OPEN = """\
examples:
  doorsill vault open faces.sealed --to faces --ca device-ca.pem
  doorsill vault open faces.sealed --to faces --ca device-ca.pem --fido2 enrolled

The pictures are in the clear then. FOLDER must be new or empty.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    group = command(commands, "vault", "list, export and blank the vault", EPILOG)
    actions = group.add_subparsers(metavar="ACTION", required=True)
    words = "say whether it is blank, and what is sealed"
    add_config(command(actions, "list", words, LIST, f"{WORK}:list_vault"))
    words = "write what is sealed to a file, sealed to the card"
    export = command(actions, "export", words, EXPORT, f"{WORK}:export_vault")
    add_config(export)
    export.add_argument("file", type=Path, metavar="FILE", help="to be written")
    words = "blank it now; the card has to come in again"
    add_config(command(actions, "blank", words, BLANK, f"{WORK}:blank_vault"))
    _add_open(actions)


def _add_open(actions: argparse._SubParsersAction[Any]) -> None:
    words = "read an export with the card in"
    parser = command(actions, "open", words, OPEN, f"{WORK}:open_export")
    parser.add_argument("file", type=Path, metavar="FILE", help="the export")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="for the pictures"
    )
    parser.add_argument(
        "--ca",
        type=Path,
        required=True,
        metavar="FILE",
        help="the device CA, PEM: who exported it?",
    )
    add_reader(parser)
    parser.add_argument(
        "--fido2", type=Path, metavar="FOLDER", help="a FIDO2 key, enrolled in FOLDER"
    )
