"""What ``doorsill-fleet flash`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import some_text

EPILOG = """\
examples:
  doorsill-fleet flash /dev/sdb --image pi5.img.zst --site porto-1 \\
      --voucher vouchers.csv
  doorsill-fleet flash /dev/sdb /dev/sdc --image pi5.img.zst --site porto-1 \\
      --voucher vouchers.csv --network wifi.txt

Erases the card, after it has said what is on it: writes what the image's .bmap names,
reads it back, and puts doorsill.txt on the boot partition. A disk that is in use is
never erased. With a table of `device add` each card takes the next voucher that no card
has. A file for --network has lines such as: wifi = Shop; one for --wiring, of cameras
with a reader, a consent lamp or a key switch: reader = uTrust 3700. Needs mtools and
fdisk, and zstd for a packed image; a card reader is root's.
Exit code: 2 another card or image; 3 a byte is not what it must be.
"""


def add_flash(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``flash``."""
    words = "write cards: an image, verified, and what brings its camera into service"
    parser = command(commands, "flash", words, EPILOG, "doorsill_fleet.cli.flash:run")
    parser.add_argument(
        "device", type=Path, nargs="+", metavar="DEVICE", help="the cards, or files"
    )
    for name, kind, metavar, about in (
        ("--image", Path, "FILE", "raw, or .zst with its .bmap beside it"),
        ("--site", some_text, "SITE", "the shop"),
        ("--voucher", some_text, "VOUCHER|FILE", "of `device add`: a line or a table"),
    ):
        parser.add_argument(name, type=kind, required=True, metavar=metavar, help=about)
    parser.add_argument(
        "--server",
        type=some_text,
        metavar="HOST:PORT",
        help="where the fleet is, if not where the voucher says",
    )
    parser.add_argument(
        "--camera",
        default="picamera",
        metavar="DRIVER[:SOURCE]",
        help="picamera, or video:/dev/video0",
    )
    for name, default, about in (
        ("--network", None, "Wi-Fi or address, as doorsill.txt"),
        ("--wiring", None, "reader and pins, as doorsill.txt"),
        ("--label", Path("label.pdf"), "where the labels go"),
    ):
        parser.add_argument(
            name, type=Path, default=default, metavar="FILE", help=about
        )
    parser.add_argument(
        "--any-disk",
        action="store_true",
        help="what is no card, or has over 512 GB",
    )
    parser.add_argument("--yes", action="store_true", help="erase without asking")
