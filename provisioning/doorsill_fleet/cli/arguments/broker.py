"""What ``doorsill-fleet broker`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import some_text, whole
from doorsill_fleet.cli.arguments.chain import BROKER_PORT, add_folder

WORK = "doorsill_fleet.cli.broker"
BROKER = """\
examples:
  doorsill-fleet broker check
  doorsill-fleet broker write
  doorsill-fleet broker install fleet/broker       on the broker's machine, as root
  doorsill-fleet broker follow porto-1             beside a shop's own broker, as root
"""
WRITE = """\
examples:
  doorsill-fleet broker write
  doorsill-fleet broker write --folder /var/lib/doorsill-fleet

Writes what mosquitto reads into FOLDER/broker again, from the register: its settings,
the access list and the list of certificates that were taken back. A broker that
`doorsill-fleet serve` runs obeys it within seconds.
"""
CHECK = """\
examples:
  doorsill-fleet broker check
  doorsill-fleet broker check --connect

Without --connect the files alone are looked at. With it, the running broker is tried:
no certificate, one of another authority, TLS 1.2, and the office in a camera's name,
each of which has to be refused. Exit code: 0 all is right; 1 something is not.
"""
BRIDGE = """\
examples:
  doorsill-fleet broker bridge porto-1 --host broker.porto-1.example --out porto-1
  doorsill-fleet broker bridge porto-1 --host 192.0.2.10 --port 8884 --out porto-1

A shop's own broker hands on to the chain's, and keeps what comes while the line is
down: a million messages at most. Its cameras and its policies go through it. After a
camera was added or replaced there, say the same again and install the folder: its keys
stay, its lists are new, and so is a certificate that ends within a month (they last 398
days). What was revoked it learns by itself, from `broker follow`.
"""
FOLLOW = """\
examples:
  doorsill-fleet broker follow porto-1
  doorsill-fleet broker follow porto-1 --server 192.0.2.10:8443

On the machine of a shop's own broker, as root: it asks the chain's `serve`, which the
folder names in the file `server`, each 15 seconds for the list of revoked certificates.
One that is new, signed by the chain's CA and lacks nothing of the one before goes into
FOLDER and to mosquitto,
which is restarted: within a minute of `device revoke` the camera is cut off here as
well, and its next connection is refused. While `serve` cannot be reached, the last list
holds. It does the same beside the chain's broker, where that is on a machine of its
own (`init --broker HOST`). As a service, with Debian's package:
  doorsill-fleet broker install porto-1
  install -d /etc/doorsill-fleet
  cp -rT porto-1 /etc/doorsill-fleet/broker
  systemctl enable --now doorsill-fleet-follow
It hands the list on and nothing else: rights of new cameras come with `broker install`.
"""
INSTALL = """\
examples:
  doorsill-fleet broker install fleet/broker       on the broker's machine, as root

Puts the files into /etc/mosquitto/doorsill and /etc/mosquitto/conf.d, and has
mosquitto read them. Run it again after each new camera, and each that was revoked.
"""


def add_broker(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``broker``."""
    words = "write the broker's files, check them, and put them in place"
    group = command(commands, "broker", words, BROKER)
    below = group.add_subparsers(metavar="COMMAND", required=True)
    about = "write the broker's files again, from the register"
    add_folder(
        command(below, "write", about, WRITE, f"{WORK}:write"),
        "of `doorsill-fleet init`",
    )
    about = "say what is wrong with the broker's files, or with the broker"
    parser = command(below, "check", about, CHECK, f"{WORK}:check")
    add_folder(parser, "of `doorsill-fleet init`")
    parser.add_argument(
        "--connect", action="store_true", help="try the running broker as well"
    )
    _add_bridge(below)
    _add_follow(below)
    about = "put the broker's files where Debian's mosquitto looks for them"
    parser = command(below, "install", about, INSTALL, f"{WORK}:install")
    parser.add_argument(
        "files", type=Path, metavar="FOLDER", help="the folder `broker` that was made"
    )
    _add_root(parser)


def _add_follow(below: argparse._SubParsersAction[Any]) -> None:
    about = "have a shop's own broker cut off each camera that is revoked"
    parser = command(below, "follow", about, FOLLOW, f"{WORK}:follow")
    parser.add_argument(
        "files", type=Path, metavar="FOLDER", help="of `broker bridge`, copied there"
    )
    parser.add_argument(
        "--server",
        type=some_text,
        metavar="HOST[:PORT]",
        help="where cameras enrol, `doorsill-fleet serve` (default: as FOLDER says)",
    )
    _add_root(parser)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="FOLDER",
        help="another root folder, where nothing is started",
    )


def _add_bridge(below: argparse._SubParsersAction[Any]) -> None:
    about = "make all that a shop's own broker needs, which hands on to the chain's"
    parser = command(below, "bridge", about, BRIDGE, f"{WORK}:bridge")
    parser.add_argument("site", metavar="SITE", help="which shop")
    parser.add_argument(
        "--host",
        type=some_text,
        action="append",
        required=True,
        metavar="HOST",
        help="under which cameras reach it; several: its other names and addresses",
    )
    parser.add_argument(
        "--port",
        type=whole(1, 65535),
        default=BROKER_PORT,
        metavar="N",
        help="at which cameras reach it",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="to be made, or updated",
    )
    add_folder(parser, "of `doorsill-fleet init`")
