"""``doorsill-fleet broker``: its files, written, checked and put in place."""

from __future__ import annotations

import argparse
import logging
import select
import sys
from datetime import UTC, datetime
from pathlib import Path

from doorsill.documents.fields import split_place
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError
from doorsill.process.stopping import listen
from doorsill_fleet.broker import files
from doorsill_fleet.broker.bridge import write_bridge
from doorsill_fleet.broker.follow import LOOK_S, Follower
from doorsill_fleet.broker.inspection import faults, refusals
from doorsill_fleet.broker.members import write_access, write_revoked
from doorsill_fleet.ca.keys import open_issuing
from doorsill_fleet.cli.arguments.chain import PORT
from doorsill_fleet.cli.opening import opened
from doorsill_fleet.office.chain import SERVER, complete, open_chain
from doorsill_fleet.office.new_folder import require_host
from doorsill_fleet.registry.devices import require_site

PLACE_BYTES = 300  # of a host and a port


def install(args: argparse.Namespace) -> int:
    """Put the broker's files in place; mosquitto takes them over."""
    for each in files.furnish(args.files, args.root):
        _say(each)
    return 0


def follow(args: argparse.Namespace) -> int:
    """Obey the chain's list of revoked certificates, until a signal comes."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    said = args.server or server_in(args.files)
    server = place_of(said)

    def apply() -> None:
        for each in files.furnish_list(args.files, args.root):
            _say(each)

    follower, stop = Follower(args.files, server, apply), listen()
    bell = stop.bell()
    _say(f"follows the list of revoked certificates of {said}")
    while not stop.asked:
        follower.turn(datetime.now(UTC))
        select.select([bell], [], [], LOOK_S)
    return 0


def server_in(folder: Path) -> str:
    """Where `serve` is, as the folder of a broker says; ConfigError if it does not."""
    path = folder / SERVER
    if not path.exists():
        raise ConfigError(
            f"{path} is not there, which names the chain's server: say it, with "
            "--server HOST:PORT"
        )
    return read_file(path, PLACE_BYTES).decode("ascii", "replace").strip()


def place_of(text: str) -> tuple[str, int]:
    """HOST or HOST:PORT, as `serve` is reached; ConfigError if it is neither."""
    found = split_place(text, PORT)
    if found is None:
        raise ConfigError(f"{text[:60]!r} must be HOST or HOST:PORT")
    require_host(found[0])
    return found


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


def bridge(args: argparse.Namespace) -> int:
    """Make the folder for a shop's own broker, and let it in at the chain's."""
    chain = open_chain(args.folder)
    authority = open_issuing(chain, lambda _: None)
    now = datetime.now(UTC)
    with opened(chain.folder) as (_, session):
        site = require_site(session, args.site).name
        place = (args.host, args.port)
        write_bridge(chain, session, authority, site, place, args.out, now)
        session.flush()
        write_access(chain, session)
    _say(f"made {args.out}: all that the broker of {site} needs")
    _say(f"  there, as root: doorsill-fleet broker install {args.out}")
    _say("  and as a service, for cameras that are revoked (broker follow --help):")
    _say(f"    doorsill-fleet broker follow {args.out}")
    _say(f"  cameras of {site} that enrol from now on go to {args.host[0]}:{args.port}")
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
