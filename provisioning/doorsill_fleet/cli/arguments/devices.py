"""What ``doorsill-fleet site``, ``device`` and ``devices`` take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import Parser, command
from doorsill.commandline.values import number, some_text, whole
from doorsill_fleet.cli.arguments.chain import add_folder
from doorsill_fleet.cli.arguments.policy import add_signer

WORK = "doorsill_fleet.cli.devices"
MOST_DEVICES, MOST_DAYS, DAYS = 500, 365, 30  # in one call; of a voucher
RETIRE_S = 5700.0  # a certificate takes an hour and a half, and a little more
SITE = """\
examples:
  doorsill-fleet site add porto-1
  doorsill-fleet site list
"""
SITE_ADD = """\
examples:
  doorsill-fleet site add porto-1
  doorsill-fleet site add porto-2 --approve

A camera fetches its first policy as it enrols: `doorsill-fleet policy edit SITE`, then
`policy sign SITE`. A policy for the whole shop that was signed elsewhere may lie at
FOLDER/policies/SITE.json.
"""
SITE_LIST = """\
examples:
  doorsill-fleet site list
"""
DEVICE = """\
examples:
  doorsill-fleet device add --count 22 --site porto-1
  doorsill-fleet device show ds-4k7q2m9x
  doorsill-fleet device revoke ds-4k7q2m9x --why "stolen"
"""
ADD = """\
examples:
  doorsill-fleet device add --site porto-1
  doorsill-fleet device add --count 22 --site porto-1 --out labels

Writes vouchers as a table (OUT.csv) and as a sheet of labels with QR codes (OUT.pdf).
Each is good once, and for one camera. They are kept nowhere else.
"""
APPROVE = """\
examples:
  doorsill-fleet device approve ds-4k7q2m9x

For a shop that was added with --approve: the camera waits until this is said.
"""
SHOW = """\
examples:
  doorsill-fleet device show ds-4k7q2m9x
"""
REVOKE = """\
examples:
  doorsill-fleet device revoke ds-4k7q2m9x
  doorsill-fleet device revoke ds-4k7q2m9x --why "stolen from the window"

Its certificates and vouchers are void at once for the fleet. A broker that `serve`
runs ends its connection within seconds and refuses a new one; another broker does so as
soon as `doorsill-fleet broker install` has put the new list there.
"""
REPLACE = """\
examples:
  doorsill-fleet device replace ds-4k7q2m9x

Another board, another card, or a lost voucher: the name stays, the old certificates
are void, and a new voucher is made.
"""
MOVE = """\
examples:
  doorsill-fleet device move ds-4k7q2m9x --site porto-2

The old certificates are void, and a new voucher is made; run `doorsill enrol` with it.
"""
RETIRE = """\
examples:
  doorsill-fleet device retire ds-4k7q2m9x
  doorsill-fleet device retire ds-4k7q2m9x --key /media/safe/controller.key --wait 7200
  doorsill-fleet device retire ds-4k7q2m9x --without-certificate --why "burnt"

Its last policy, without consent, goes out by air: the vault blanks, and the certificate
of that comes home within an hour and a half. When it is verified, the camera's key is
void, and a signed record says so: FOLDER/retired/SERIAL.json, and the register. Without
the certificate it is not retired; say this again when it has come. Exit code: 0
retired; 1 not yet, and what is missing.
"""
DEVICES = """\
examples:
  doorsill-fleet devices
  doorsill-fleet devices --site porto-1
  doorsill-fleet devices --store visitors.db

With the store of `receive`, each camera in service is green, amber or red, in a word,
with what to do next.
"""


def add_site(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``site``."""
    group = command(commands, "site", "add and list shops", SITE)
    below = group.add_subparsers(metavar="COMMAND", required=True)
    parser = command(below, "add", "add a shop", SITE_ADD, f"{WORK}:add_site")
    parser.add_argument("site", metavar="SITE", help="a-z, 0-9 and -, at most 16")
    parser.add_argument(
        "--approve",
        action="store_true",
        help="a person has to approve each camera's key",
    )
    _add_fleet(parser)
    words = "list the shops"
    _add_fleet(command(below, "list", words, SITE_LIST, f"{WORK}:list_sites"))


def add_device(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``device``."""
    words = "add, approve, show, revoke, replace, move and retire cameras"
    group = command(commands, "device", words, DEVICE)
    below = group.add_subparsers(metavar="COMMAND", required=True)
    parser = command(below, "add", "add cameras", ADD, f"{WORK}:add_devices")
    parser.add_argument(
        "--count", type=whole(1, MOST_DEVICES), default=1, metavar="N", help="how many"
    )
    _add_site(parser)
    _add_vouchers(parser)
    _add_fleet(parser)
    _add_retire(below)
    for name, about, examples in (
        ("approve", "approve the key of a camera", APPROVE),
        ("show", "show one camera", SHOW),
        ("revoke", "take a camera's certificates back", REVOKE),
        ("replace", "give a camera's name to another board or card", REPLACE),
        ("move", "give a camera to another shop", MOVE),
    ):
        parser = command(below, name, about, examples, f"{WORK}:{name}_device")
        parser.add_argument("serial", metavar="SERIAL", help="as on the label")
        if name == "revoke":
            parser.add_argument(
                "--why",
                type=some_text,
                default="revoked by the office",
                metavar="TEXT",
                help="kept in the register",
            )
        if name == "move":
            _add_site(parser)
        if name in ("replace", "move"):
            _add_vouchers(parser)
        _add_fleet(parser)


def _add_retire(below: argparse._SubParsersAction[Any]) -> None:
    about = "end a camera: its vault blank, its key void, a record of it"
    parser = command(below, "retire", about, RETIRE, "doorsill_fleet.cli.retire:run")
    parser.add_argument("serial", metavar="SERIAL", help="as on the label")
    parser.add_argument(
        "--wait",
        type=number(0.0),
        default=RETIRE_S,
        metavar="S",
        help="longest wait for the certificate",
    )
    parser.add_argument(
        "--certificates",
        type=Path,
        metavar="FOLDER",
        help="where `receive` keeps them (default: in FOLDER, or beside it)",
    )
    parser.add_argument(
        "--medium",
        type=some_text,
        action="append",
        metavar="NAME",
        help="a file or partition that its vault has, as its configuration names it",
    )
    parser.add_argument(
        "--without-certificate",
        action="store_true",
        help="retire it although nothing shows that its vault is blank",
    )
    parser.add_argument(
        "--why",
        type=some_text,
        default="retired by the office",
        metavar="TEXT",
        help="kept in the record",
    )
    add_signer(parser)
    _add_fleet(parser)


def add_devices(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``devices``."""
    words = "list the cameras, with what each one waits for"
    parser = command(commands, "devices", words, DEVICES, f"{WORK}:list_devices")
    parser.add_argument("--site", metavar="SITE", help="of this shop alone")
    parser.add_argument(
        "--store", type=some_text, metavar="FILE|URL", help="say how each camera is"
    )
    _add_fleet(parser)


def _add_site(parser: Parser) -> None:
    parser.add_argument("--site", required=True, metavar="SITE", help="which shop")


def _add_vouchers(parser: Parser) -> None:
    parser.add_argument(
        "--days",
        type=whole(1, MOST_DAYS),
        default=DAYS,
        metavar="N",
        help="validity of the vouchers",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("vouchers"),
        metavar="NAME",
        help="NAME.csv and NAME.pdf, which must not exist",
    )


def _add_fleet(parser: Parser) -> None:
    add_folder(parser, "of `doorsill-fleet init`")
