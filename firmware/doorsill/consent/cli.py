"""``doorsill consent``: make consent cards, and see what a card in the reader opens."""

from __future__ import annotations

import argparse
from typing import Any

from doorsill.consent import issue_cli, look_cli

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


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    parser = subparsers.add_parser(
        "consent",
        help="issue and watch consent cards",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    issue_cli.add_ca(actions)
    issue_cli.add_issue(actions)
    look_cli.add_looks(actions)
