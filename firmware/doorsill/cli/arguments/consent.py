"""What ``doorsill consent`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.options import (
    add_config,
    add_management_key,
    add_reader,
    day_argument,
    seconds_argument,
)
from doorsill.commandline.parser import command
from doorsill.commandline.values import number, some_text, whole

ISSUE_WORK, LOOK_WORK = "doorsill.cli.consent_issue", "doorsill.cli.consent_watch"
CARD_DAYS, AUTHORITY_DAYS = 365, 3653  # at most, as in office/cards.py
ISSUE_WAIT_S = 30.0  # default wait for a card to be issued
STATUS_WAIT_S = 3.0  # default wait for a card whose status is asked
LONGEST_WAIT_S = 3600.0  # that an option can ask for
EPILOG = """\
examples:
  doorsill consent ca office --controller "Example Stores"   once: the CA for cards
  doorsill consent issue --ca office --holder Ana --site porto-1 --purpose validation
  doorsill consent readers                                   for consent.reader
  doorsill consent status --site porto-1 --purpose validation --ca office
  doorsill consent watch --config /etc/doorsill/doorsill.toml

Any PIV card or key will do (slots 9E and 9D, P-256). Keys are made on the card and
never leave it. To take a card back, put its serial number into consent.revoked of the
policy, sign the policy and apply it.
"""
CA = """\
examples:
  doorsill consent ca office --controller "Example Stores"
  doorsill consent ca office --controller "Example Stores" --days 365

Makes consent-ca.key (keep it offline) and consent-ca.pem (for the devices) in FOLDER.
Neither is ever overwritten.
"""
ISSUE = """\
examples:
  doorsill consent issue --ca office --holder Ana --site porto-1 --purpose validation
  doorsill consent issue --ca office --holder Ana --site porto-1 --purpose validation \\
      --begins 2027-01-31 --days 30
  doorsill consent issue --ca office --holder Ana --site porto-1 --purpose validation \\
      --fido2 ana.pem

A card that was made before is replaced only with --overwrite, a file never. Where the
CA's key is on a card (`doorsill-fleet init --card consent-ca=FILE`), it takes two
readers: --reader names the one with the new card, --ca-reader that with the CA's.
"""
STATUS = """\
examples:
  doorsill consent status                       as this camera's vault judges the card
  doorsill consent status --ca office --site porto-1 --purpose validation
"""
WATCH = """\
examples:
  doorsill consent watch --config /etc/doorsill/doorsill.toml
  doorsill consent watch --ca office --site porto-1 --purpose validation --seconds 60
"""
READERS = """\
examples:
  doorsill consent readers                      a part of a name is for consent.reader
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    group = command(commands, "consent", "issue and watch consent cards", EPILOG)
    actions = group.add_subparsers(metavar="ACTION", required=True)
    _add_ca(actions)
    _add_issue(actions)
    _add_looks(actions)
    words = "name the card readers that are here"
    command(actions, "readers", words, READERS, f"{LOOK_WORK}:show_readers")


def _add_ca(actions: argparse._SubParsersAction[Any]) -> None:
    words = "make the CA that signs cards; keep it offline"
    parser = command(actions, "ca", words, CA, f"{ISSUE_WORK}:make_ca")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for the CA")
    parser.add_argument(
        "--controller",
        type=some_text,
        required=True,
        metavar="TEXT",
        help="who is responsible",
    )
    parser.add_argument(
        "--days",
        type=whole(1, AUTHORITY_DAYS),
        default=1825,
        metavar="N",
        help=f"that the CA is valid, at most {AUTHORITY_DAYS}",
    )


def _add_issue(actions: argparse._SubParsersAction[Any]) -> None:
    words = "make a card (or enrol a FIDO2 key)"
    parser = command(actions, "issue", words, ISSUE, f"{ISSUE_WORK}:issue_card")
    for name, metavar, about in (
        ("--holder", "TEXT", "whose card it is"),
        ("--site", "NAME", "where it opens the vault, as the policy names it"),
        ("--purpose", "TEXT", "for what, as the policy names it"),
    ):
        parser.add_argument(
            name, type=some_text, required=True, metavar=metavar, help=about
        )
    parser.add_argument(
        "--ca", type=Path, required=True, metavar="FOLDER", help="of `consent ca`"
    )
    parser.add_argument(
        "--days",
        type=whole(1, CARD_DAYS),
        default=90,
        metavar="N",
        help=f"that the card opens, at most {CARD_DAYS}",
    )
    parser.add_argument(
        "--begins",
        type=day_argument,
        metavar="YYYY-MM-DD",
        help="its first day (default: today)",
    )
    _add_wait(parser, ISSUE_WAIT_S)
    _add_readers(parser)
    add_management_key(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what is on the card"
    )
    parser.add_argument(
        "--fido2", type=Path, metavar="FILE", help="enrol a FIDO2 key, into FILE"
    )


def _add_readers(parser: argparse.ArgumentParser) -> None:
    add_reader(parser)
    parser.add_argument(
        "--ca-reader",
        default="",
        metavar="TEXT",
        help="a part of the name of the reader with the CA's own card",
    )


def _add_looks(actions: argparse._SubParsersAction[Any]) -> None:
    words = "say what the card in the reader opens"
    status = command(actions, "status", words, STATUS, f"{LOOK_WORK}:show_status")
    words = "follow the card as the vault would"
    watch = command(actions, "watch", words, WATCH, f"{LOOK_WORK}:watch_card")
    for each in (status, watch):
        add_config(each)
        each.add_argument(
            "--ca",
            type=Path,
            metavar="FOLDER",
            help="of `consent ca`, on a machine that is no camera",
        )
        each.add_argument(
            "--site", default="", metavar="NAME", help="with --ca: which site"
        )
        each.add_argument(
            "--purpose", default="", metavar="TEXT", help="with --ca: for what"
        )
        add_reader(each)
    _add_wait(status, STATUS_WAIT_S)
    watch.add_argument(
        "--seconds",
        type=seconds_argument,
        default=float("inf"),
        metavar="S",
        help="how long (default: until Ctrl-C)",
    )


def _add_wait(parser: argparse.ArgumentParser, seconds: float) -> None:
    parser.add_argument(
        "--wait",
        type=number(0, LONGEST_WAIT_S),
        default=seconds,
        metavar="S",
        help="seconds for the card to come",
    )
