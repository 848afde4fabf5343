"""``doorsill-fleet delete``: what is too old goes, and it is said what that was."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from doorsill_fleet.cli.store import before, opened
from doorsill_fleet.store.deletion import Deleted, delete_part, would_delete
from doorsill_fleet.store.queries import Part


def run(args: argparse.Namespace) -> int:
    """Say what there is to delete; with ``--yes``, delete it."""
    now = int(time.time())
    part = Part(until=before(args.before, now), site=args.site, device=args.device)
    with opened(args.store) as engine:
        done = args.yes
        found = delete_part(engine, part, now) if done else would_delete(engine, part)
    for each in found:
        sys.stdout.write(_sentence(each, "deleted" if done else "would delete"))
    if not found:
        sys.stdout.write(f"nothing is older than {_utc(part.until)}\n")
    elif not done:
        sys.stdout.write("nothing was deleted; --yes does it\n")
    return 0


def _sentence(each: Deleted, verb: str) -> str:
    span = f"from {_utc(each.oldest)} to {_utc(each.newest)}"
    return f"{verb} {each.rows} rows of {each.name}, {span}\n"


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
