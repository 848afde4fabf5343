"""``doorsill-fleet export``: from the store into a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import tzinfo

from sqlalchemy import Engine

from doorsill.documents.files import require_new
from doorsill.errors import ConfigError
from doorsill_fleet.cli.store import day, opened
from doorsill_fleet.store import export, periods, queries
from doorsill_fleet.store.queries import FOREVER, Part


def run(args: argparse.Namespace) -> int:
    """Write the file; say how many rows it has, and of what."""
    export.require_format(args.file)
    require_new(args.file, force=args.force)
    zone = export.zone_named(args.timezone)
    part = _part(args, zone)
    with opened(args.store) as engine:
        if args.looks:
            rows = queries.looks(engine, part)
            count = export.write(args.file, export.LOOKS, rows, zone)
        else:
            rows = _counts(engine, part, args.by, zone)
            count = export.write(args.file, export.COUNTS, rows, zone)
    what = "spans of looks" if args.looks else f"rows by {args.by}"
    sys.stdout.write(f"{args.file}: {count} {what}\n")
    return 0


def _part(args: argparse.Namespace, zone: tzinfo) -> Part:
    since = day(args.since, "--since", zone) if args.since else 0
    until = day(args.until, "--until", zone) if args.until else FOREVER
    if since >= until:
        raise ConfigError(f"--since {args.since} is not before --until {args.until}")
    return Part(since, until, args.site, args.device)


def _counts(engine: Engine, part: Part, by: str, zone: tzinfo) -> Iterator[export.Row]:
    starts = {
        "minutes": periods.minute,
        "hours": periods.hour_in(zone),
        "days": periods.day_in(zone),
    }
    found = periods.add_up(queries.minutes(engine, part), starts[by])
    return (export.row_of(place, counts) for place, counts in found)
