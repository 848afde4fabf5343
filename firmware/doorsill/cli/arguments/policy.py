"""What ``doorsill policy`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.options import add_management_key, add_reader, zone_argument
from doorsill.commandline.parser import command
from doorsill.commandline.values import whole

WORK, KEY_WORK = "doorsill.cli.policy", "doorsill.cli.policy_key"
EPILOG = """\
examples:
  doorsill policy key controller.key --passphrase       once: the controller's key
  doorsill policy new policy.toml --site porto-1 --line 0,0.5,1,0.5 \\
      --controller "Example Stores, 1 High Street, Porto"
  doorsill policy show policy.toml                      look where the line lies
  doorsill policy sign policy.toml --key controller.key --out policy.json
  doorsill policy check policy.json --controller controller.key.pub
  doorsill policy apply --config /etc/doorsill/doorsill.toml

the next version:
  doorsill policy new next.toml --from policy.json      and edit it
  doorsill policy sign next.toml --key controller.key --out policy-2.json
  doorsill policy diff policy.json policy-2.json

A device applies only a policy that is signed by its controller, is for its site and
for it, and is newer than the one in force. No policy can go below the floors: k of at
least 10 crossings, and at most 2.0 of epsilon a day.
"""
NEW = """\
examples:
  doorsill policy new policy.toml --site porto-1 --line 0,0.5,1,0.5
  doorsill policy new policy.toml --site porto-1 --device cam-01 \\
      --line 0,0.5,0.4,0.5 --line 0.6,0.5,1,0.5         two doors: door-1 and door-2
  doorsill policy new policy.toml --site porto-1 --staff 0.8,0,1,0,1,0.4
  doorsill policy new next.toml --from policy.json --purpose "count for the fire code"

X goes to the right and Y down, as parts of the picture. IN is from the left of the
line to its right, as you walk from its first point to its last: 0,0.5,1,0.5 counts who
comes down the picture as IN, and 1,0.5,0,0.5 who goes up.
"""
KEY = """\
examples:
  doorsill policy key controller.key --passphrase      a file that wants a passphrase
  doorsill policy key controller.key --card            on a PIV card, and FILE.pub

A key in a file is never overwritten.
"""
SIGN = """\
examples:
  doorsill policy sign policy.toml --key controller.key --out policy.json
  doorsill policy sign policy.toml --card --key controller.key.pub --out policy.json

The sign for the door is written beside the policy, as policy.sign.txt.
"""
SHOW = """\
examples:
  doorsill policy show policy.toml
  doorsill policy show policy.json --sign > sign.txt
"""
DIFF = """\
examples:
  doorsill policy diff policy.json next.toml
"""
CHECK = """\
examples:
  doorsill policy check policy.toml
  doorsill policy check policy.json --controller controller.key.pub
  doorsill policy check policy.json --controller controller.key.pub \\
      --current in-force.json --site porto-1 --device cam-01
"""
APPLY = """\
examples:
  doorsill policy apply --config /etc/doorsill/doorsill.toml
  doorsill policy apply policy.json --config /etc/doorsill/doorsill.toml
  doorsill policy apply policy.json --controller controller.key.pub \\
      --to in-force.json --site porto-1 --device cam-01

Only a newer policy of the same controller replaces the one in force.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    words = "make, sign, show, compare and apply a policy"
    group = command(commands, "policy", words, EPILOG)
    actions = group.add_subparsers(metavar="ACTION", required=True)
    _add_new(actions)
    _add_key(actions)
    _add_sign(actions)
    _add_looks(actions)
    _add_check(actions)
    _add_apply(actions)


def _add_new(actions: argparse._SubParsersAction[Any]) -> None:
    words = "write a draft, and print the sign for the door"
    new = command(actions, "new", words, NEW, f"{WORK}:new_draft")
    new.add_argument("draft", type=Path, metavar="DRAFT.toml", help="to be written")
    new.add_argument(
        "--from", dest="before", type=Path, metavar="FILE", help="the policy before it"
    )
    new.add_argument("--site", metavar="NAME", help="a-z, 0-9 and -, at most 16")
    for name, metavar, words in (
        ("--device", "ID", "that it is for (default: every device of the site)"),
        ("--line", "X0,Y0,X1,Y1", "where people cross (default: 0,0.5,1,0.5)"),
        ("--staff", "X0,Y0,...", "where staff stand or walk; nobody is counted there"),
    ):
        words += "; may be given several times"
        new.add_argument(name, action="append", metavar=metavar, help=words)
    new.add_argument("--purpose", metavar="TEXT", help="why people are counted")
    new.add_argument(
        "--controller", metavar="TEXT", help="who answers, with an address"
    )
    new.add_argument(
        "--timezone", type=zone_argument, metavar="NAME", help="such as Europe/Lisbon"
    )
    new.add_argument(
        "--version",
        type=whole(1),
        metavar="N",
        help="of the policy (default: 1, or the next after --from)",
    )
    new.add_argument(
        "--notice", metavar="ID", help="of the sign; switches the attributes on"
    )


def _add_key(actions: argparse._SubParsersAction[Any]) -> None:
    words = "make a controller's key (FILE and FILE.pub)"
    key = command(actions, "key", words, KEY, f"{KEY_WORK}:make_key")
    key.add_argument("file", type=Path, metavar="FILE", help="to be written")
    key.add_argument(
        "--passphrase", action="store_true", help="ask for one, and use it"
    )
    key.add_argument("--card", action="store_true", help="make it on the PIV card")
    add_reader(key)
    add_management_key(key)
    key.add_argument(
        "--overwrite", action="store_true", help="replace the key on the card"
    )


def _add_sign(actions: argparse._SubParsersAction[Any]) -> None:
    sign = command(actions, "sign", "sign a draft", SIGN, f"{WORK}:sign_draft")
    sign.add_argument("draft", type=Path, metavar="DRAFT.toml", help="of `policy new`")
    sign.add_argument(
        "--key",
        type=Path,
        required=True,
        metavar="FILE",
        help="the controller's; FILE.pub with --card",
    )
    sign.add_argument("--card", action="store_true", help="sign with the PIV card")
    add_reader(sign)
    sign.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the signed policy"
    )
    sign.add_argument("--force", action="store_true", help="replace an older policy")


def _add_looks(actions: argparse._SubParsersAction[Any]) -> None:
    words = "show a policy, signed or draft, unverified"
    show = command(actions, "show", words, SHOW, f"{WORK}:show_policy")
    show.add_argument("file", type=Path, metavar="FILE", help="a draft or a policy")
    show.add_argument("--sign", action="store_true", help="the sign for the door only")
    words = "say in what two policies differ"
    diff = command(actions, "diff", words, DIFF, f"{WORK}:show_differences")
    diff.add_argument("old", type=Path, metavar="OLD", help="a draft or a policy")
    diff.add_argument("new", type=Path, metavar="NEW", help="the next one")


def _add_check(actions: argparse._SubParsersAction[Any]) -> None:
    words = "say all that is wrong with a policy"
    check = command(actions, "check", words, CHECK, f"{WORK}:check_policy")
    check.add_argument("file", type=Path, metavar="FILE", help="a draft or a policy")
    check.add_argument(
        "--controller", type=Path, metavar="KEY", help="the controller's public key"
    )
    check.add_argument(
        "--current", type=Path, metavar="FILE", help="the policy in force, if any"
    )
    check.add_argument("--site", metavar="NAME", help="of the device that it is for")
    check.add_argument("--device", metavar="ID", help="that it is for")


def _add_apply(actions: argparse._SubParsersAction[Any]) -> None:
    words = "put a policy in force on this device"
    apply = command(actions, "apply", words, APPLY, f"{WORK}:apply_policy")
    apply.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="default: policy.file, where it is newer",
    )
    for name, kind, metavar, about in (
        ("--config", Path, "FILE", "the configuration of this device"),
        ("--controller", Path, "KEY", "without --config: whose key"),
        ("--to", Path, "FILE", "without --config: the file in force"),
        ("--site", str, "NAME", "without --config: of this device"),
        ("--device", str, "ID", "without --config: the name of this device"),
    ):
        apply.add_argument(name, type=kind, metavar=metavar, help=about)
