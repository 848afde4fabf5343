"""``doorsill-fleet delete``: what is too old goes, and it is said what that was."""

from __future__ import annotations

import argparse
import sys
import time

from doorsill_fleet.cli.store import before, opened
from doorsill_fleet.store.deletion import delete_part, utc, would_delete
from doorsill_fleet.store.queries import Part


def run(args: argparse.Namespace) -> int:
    """Say what there is to delete; with ``--yes``, delete it."""
    now = int(time.time())
    part = Part(until=before(args.before, now), site=args.site, device=args.device)
    with opened(args.store) as engine:
        done = args.yes
        found = delete_part(engine, part, now) if done else would_delete(engine, part)
    for each in found:
        sys.stdout.write(each.said("deleted" if done else "would delete") + "\n")
    if not found:
        sys.stdout.write(f"nothing is older than {utc(part.until)}\n")
    elif not done:
        sys.stdout.write("nothing was deleted; --yes does it\n")
    return 0
