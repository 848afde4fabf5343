"""What ``doorsill-fleet policy`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.options import add_reader
from doorsill.commandline.parser import Parser, command
from doorsill.commandline.values import number
from doorsill_fleet.cli.arguments.chain import add_folder

WORK = "doorsill_fleet.cli.policy"
WAIT_S = 180.0  # a camera names its policy with each minute
POLICY = """\
examples:
  doorsill-fleet policy edit porto-1
  doorsill-fleet policy diff porto-1
  doorsill-fleet policy sign porto-1 --key /media/safe/controller.key
  doorsill-fleet policy push porto-1
  doorsill-fleet policy status
"""
EDIT = """\
examples:
  doorsill-fleet policy edit porto-1
  EDITOR=nano doorsill-fleet policy edit porto-1

Opens the draft of a shop in $VISUAL or $EDITOR, FOLDER/policies/SITE.toml: what all its
cameras share, and a part [[devices]] for each one's lines and zones. The draft is kept
in any case, and what is wrong in it is said.
"""
DIFF = """\
examples:
  doorsill-fleet policy diff porto-1

Says for each camera what the draft changes against what was last signed. Exit code: 0
it changes something; 1 nothing.
"""
SIGN = """\
examples:
  doorsill-fleet policy sign porto-1
  doorsill-fleet policy sign porto-1 --key /media/safe/controller.key
  doorsill-fleet policy sign porto-1 --key controller.key.pub --card

Makes one signed document for each camera, with the next version, and the sign for its
door beside it: FOLDER/policies/SITE/. Asks for the passphrase of the controller's key.
"""
PUSH = """\
examples:
  doorsill-fleet policy push porto-1
  doorsill-fleet policy push porto-1 --wait 0

Publishes what was last signed, retained: a camera that is off gets it when it is back.
Then waits for the cameras to say that it is in force. Exit code: 0 it is, in all; 1 not
in all yet, or one refused it.
"""
STATUS = """\
examples:
  doorsill-fleet policy status
  doorsill-fleet policy status porto-1

A row for each camera, from what `receive --store FOLDER/store.db` keeps and from what
was pushed. Exit code: 0 nothing is to do; 1 something is.
"""


def add_policy(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``policy``."""
    words = "edit, compare, sign and push what cameras may do"
    group = command(commands, "policy", words, POLICY)
    below = group.add_subparsers(metavar="COMMAND", required=True)
    for name, about, examples in (
        ("edit", "edit the draft of a shop", EDIT),
        ("diff", "say what the draft changes", DIFF),
    ):
        _add_site(command(below, name, about, examples, f"{WORK}:{name}"))
    about = "sign the draft, for each camera"
    sign = command(below, "sign", about, SIGN, f"{WORK}:sign")
    _add_site(sign)
    add_signer(sign)
    about = "publish what was signed, and wait for the cameras"
    push = command(below, "push", about, PUSH, f"{WORK}:push")
    _add_site(push)
    push.add_argument(
        "--wait",
        type=number(0.0),
        default=WAIT_S,
        metavar="S",
        help="longest wait for the cameras' words",
    )
    about = "list the cameras, with the policy of each"
    status = command(below, "status", about, STATUS, f"{WORK}:status")
    status.add_argument("site", nargs="?", metavar="SITE", help="of this shop alone")
    add_folder(status, "of `doorsill-fleet init`")


def _add_site(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE", help="which shop")
    add_folder(parser, "of `doorsill-fleet init`")


def add_signer(parser: Parser) -> None:
    """``--key``, ``--card`` and ``--reader``: what signs for the controller."""
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the controller's (default: FOLDER/safe/controller.key); its public half "
        "with --card",
    )
    parser.add_argument("--card", action="store_true", help="sign with the PIV card")
    add_reader(parser)
