"""What ``doorsill-fleet init`` and ``serve`` take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.options import add_reader
from doorsill.commandline.parser import command
from doorsill.commandline.values import some_text, whole

WORK = "doorsill_fleet.cli.chain"
FLEET = Path("fleet")  # the folder of the chain where nothing else is said
PORT, BROKER_PORT = 8443, 8883  # of EST over HTTPS, of MQTT over TLS
INIT = """\
examples:
  doorsill-fleet init
  doorsill-fleet init --host fleet.stores.example --broker broker.stores.example
  doorsill-fleet init --folder trial --host localhost --no-passphrase
  doorsill-fleet init --card root=root.pub --card consent-ca=consent.pub \\
      --card controller=controller.pub

Makes FOLDER, which must not exist: the root and the consent CA, the controller's key,
the CA that makes cameras, and all that broker and server need. It asks for a
passphrase (8 characters or more, typed twice, in a terminal) for each of the four keys
that a person guards: root, issuing, consent-ca and controller. It is made whole or not
at all; after a full disk or a power cut, run it again.

root, consent-ca and controller may each be on a PIV card instead (slot 9C, P-256), a
card for each. Make its key there first: `doorsill policy key root --card` writes
root.pub; or with the card's own tool, whose public key or 9C certificate in PEM does
as well. `init` asks for the PIN of each card, the root's last, and has it sign: nothing
on a card is changed, and where one is wrong, pulled or missing, no folder is made. With
one reader, change the card before you type its PIN. Later, `policy sign --card` and
`doorsill consent issue --ca FOLDER/safe` use them; the root's is for the safe.
"""
SERVE = """\
examples:
  doorsill-fleet serve
  doorsill-fleet serve --folder /var/lib/doorsill-fleet --listen 192.0.2.10

Cameras that run `doorsill enrol` get their certificates here, over HTTPS (TLS 1.3).
The issuing key lies in FOLDER. Its passphrase comes from systemd
(LoadCredentialEncrypted=issuing.passphrase), or is asked for; the key itself may come
from there, too (issuing.key). SIGTERM or Ctrl-C stops it.

As a service, with Debian's package, in /var/lib/doorsill-fleet, as its user:
  cd /var/lib/doorsill-fleet
  runuser -u doorsill-fleet -- doorsill-fleet init --folder chain --host HOST
  systemctl enable --now doorsill-fleet doorsill-fleet-receive
"""


def add_init(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``init``."""
    words = "make the authorities and the folder of a chain of shops"
    parser = command(commands, "init", words, INIT, f"{WORK}:init")
    add_folder(parser, "to be made")
    parser.add_argument(
        "--host",
        type=some_text,
        action="append",
        metavar="HOST",
        help="under which cameras reach this machine; several: its other names "
        "(default: its own name)",
    )
    parser.add_argument(
        "--port", type=whole(1, 65535), default=PORT, metavar="N", help="of `serve`"
    )
    parser.add_argument(
        "--broker", type=some_text, metavar="HOST", help="if it is another machine"
    )
    parser.add_argument(
        "--broker-port",
        type=whole(1, 65535),
        default=BROKER_PORT,
        metavar="N",
        help="of the broker",
    )
    parser.add_argument(
        "--no-passphrase", action="store_true", help="keys that lie open: for a trial"
    )
    parser.add_argument(
        "--card",
        type=_name_and_file,
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the key of this name is on a card; FILE has its public half",
    )
    add_reader(parser)


def add_serve(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``serve``."""
    words = "enrol cameras: certificates for vouchers, over HTTPS"
    parser = command(commands, "serve", words, SERVE, f"{WORK}:serve")
    add_folder(parser, "of `doorsill-fleet init`")
    parser.add_argument(
        "--listen",
        type=some_text,
        default="0.0.0.0",  # noqa: S104 - cameras come from the network
        metavar="ADDRESS",
        help="of this machine; every one of them",
    )
    parser.add_argument(
        "--port",
        type=whole(1, 65535),
        metavar="N",
        help="behind a port that is handed on (default: the one of `init`)",
    )


def _name_and_file(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not NAME=FILE")
    return name, Path(path)


def add_folder(parser: argparse.ArgumentParser, words: str) -> None:
    """``--folder FOLDER``."""
    parser.add_argument(
        "--folder", type=Path, default=FLEET, metavar="FOLDER", help=words
    )
