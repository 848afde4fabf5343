"""What ``doorsill-fleet receive`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import number, some_text, whole

DAYS_MOST = 36_500  # a century

EPILOG = """\
examples:
  doorsill-fleet receive --folder fleet --store visitors.db --keep-days 400
  doorsill-fleet receive --broker broker.example --csv visitors.csv
  doorsill-fleet receive --broker broker.example:8883 --store visitors.db \\
      --ca ca.pem --certificate store.pem --key store.key --site porto-1

`doorsill-fleet init` made all that is wanted, in the folder of the chain; a folder with
its fleet.toml, ca.pem, reader-store.pem and reader-store.key is enough, on any machine.
`doorsill-fleet ca` made the three files alone. The certificate is a reader's: its
common name is reader:NAME, the key has mode 0600, and the broker's access list lets it
read doorsill/<site>/#. The broker keeps what is sent while this program is away, for
90 days and as far as its own limits go.

A row of the CSV is one minute of one line or zone, once, however often it is sent.
Beside visitors.csv stand visitors.csv.index (what is in it), visitors.attributes.csv
once there are such reports, and visitors.csv.quarantine.jsonl with what was no message
of a camera. To begin a new file, stop, move visitors.csv away and start again.

A store is a SQLite file, by its path. (PostgreSQL is to follow, by its URL; nobody has
tried it yet.) Two workers may fill one store: --part 1/2 and --part 2/2, each with its
own reader's certificate (with --folder the second takes reader-store-2). Start both
before cameras send; what one has yet to keep waits for it at the broker, so start it
again if it ends. Nothing is lost, and nothing counts twice.

SIGTERM or Ctrl-C stops: what came is on disk first. Without a terminal a line is
logged every ten minutes.
Exit code: 0 stopped when asked to; 2 a file or an option is wrong; 3 not to be trusted;
5 the broker was never reached.
"""


def add_receive(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``receive``."""
    parser = command(
        commands,
        "receive",
        "keep what the cameras send, in a store or a CSV file",
        EPILOG,
        "doorsill_fleet.cli.receive:run",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--broker",
        type=some_text,
        metavar="HOST[:PORT]",
        help="where the cameras send to; its certificate names HOST (port 8883)",
    )
    where.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="of `doorsill-fleet init`: names the broker, and has the three files",
    )
    _add_files(parser)
    parser.add_argument(
        "--site",
        type=some_text,
        metavar="SITE",
        help="of one shop only (default: of every shop that the broker shows us)",
    )
    parser.add_argument(
        "--part",
        type=some_text,
        metavar="N/OF",
        help="keep one part of the cameras, where several workers fill one store",
    )
    parser.add_argument(
        "--seconds",
        type=number(1.0),
        metavar="S",
        help="stop by itself after S seconds (default: only at a signal)",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Where the numbers go, and with which certificate they are read."""
    kept = parser.add_mutually_exclusive_group(required=True)
    kept.add_argument(
        "--csv", type=Path, metavar="FILE", help="rows for a spreadsheet, appended"
    )
    kept.add_argument(
        "--store",
        type=some_text,
        metavar="FILE|URL",
        help="a database, attributes included; several workers may fill it",
    )
    kept.add_argument(
        "--sqlite", type=Path, metavar="FILE", help="the same as --store FILE"
    )
    parser.add_argument(
        "--keep-days",
        type=whole(1, DAYS_MOST),
        metavar="DAYS",
        help="delete windows that are older, once a day, and note what went "
        "(default: `delete` is a person's)",
    )
    for name, file, words in (
        ("--ca", "ca.pem", "the CA of the broker's certificate, PEM"),
        ("--certificate", "reader-store.pem", "our certificate, PEM"),
        ("--key", "reader-store.key", "its key, PEM, mode 0600"),
    ):
        default = f"{words} (default: {file}, in FOLDER)"
        parser.add_argument(name, type=Path, metavar="FILE", help=default)
