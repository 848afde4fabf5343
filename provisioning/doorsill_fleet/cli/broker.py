"""``doorsill-fleet broker``: its files, written, checked and put in place."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from doorsill_fleet.broker import files
from doorsill_fleet.broker.inspection import faults, refusals
from doorsill_fleet.broker.members import write_access, write_revoked
from doorsill_fleet.ca.keys import open_issuing
from doorsill_fleet.cli.opening import opened
from doorsill_fleet.office.chain import complete, open_chain


def install(args: argparse.Namespace) -> int:
    """Put the broker's files in place; mosquitto takes them over."""
    for each in files.furnish(args.files, args.root):
        _say(each)
    return 0


def write(args: argparse.Namespace) -> int:
    """Write settings, access list and revocation list again, from the register."""
    chain = open_chain(args.folder)
    authority = open_issuing(chain, lambda _: None)
    now = datetime.now(UTC)
    with opened(chain.folder) as (_, session):
        complete(chain, authority, now)
        write_access(chain, session)
        write_revoked(chain, session, authority, now)
    _say(f"wrote {chain.broker}")
    if not chain.places.local:
        _say(f"  at the broker, as root: doorsill-fleet broker install {chain.broker}")
    return 0


def check(args: argparse.Namespace) -> int:
    """Say what is wrong with the files, or at the running broker; 1 if something is."""
    chain = open_chain(args.folder)
    now = datetime.now(UTC)
    with opened(chain.folder) as (_, session):
        found = faults(chain, session, now)
    _say(f"{chain.broker}: " + ("as it has to be" if not found else "not right"))
    if args.connect:
        tried = list(refusals(chain, now))
        for each in tried:
            _say(f"  {each.words}")
        found += [each.fault for each in tried if each.fault]
    for fault in found:
        _say(f"  {fault}")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
