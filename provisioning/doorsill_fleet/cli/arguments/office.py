"""What ``doorsill-fleet ca`` and ``camera`` take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from doorsill.commandline.parser import command
from doorsill.commandline.values import some_text, whole

WORK = "doorsill_fleet.cli.office"
PORT = 8883  # of MQTT over TLS
CA = """\
examples:
  doorsill-fleet ca stores --broker broker.porto-1.example
  doorsill-fleet ca stores --broker broker.porto-1.example --broker 192.0.2.10
  doorsill-fleet ca stores --broker broker.porto-1.example --passphrase

Makes FOLDER, which must not exist: the authority, the controller's key, what the
broker's machine gets, and the certificate of the program that receives the numbers.
"""
CAMERA = """\
examples:
  doorsill-fleet camera stores porto-1 cam-01 --policy stores/porto-1.json
  doorsill-fleet camera stores porto-1 cam-02 --policy stores/porto-1.json \\
      --camera video:/dev/video0
  doorsill-fleet camera stores porto-1 try-01 --policy stores/porto-1.json \\
      --camera street

Makes FOLDER/cameras/porto-1_cam-01 with all that belongs into /etc/doorsill there, and
gives the camera its rights in the broker's access list. To take them away: remove that
folder, admit any other camera, and run `doorsill-fleet broker install` again.
"""


def add_ca(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``ca``."""
    words = "make an authority, a controller's key and a broker's files"
    parser = command(commands, "ca", words, CA, f"{WORK}:make_office")
    _add_folder(parser, "to be made")
    parser.add_argument(
        "--broker",
        type=some_text,
        action="append",
        required=True,
        metavar="HOST",
        help="under which cameras reach it; several: its other names and addresses",
    )
    parser.add_argument(
        "--port", type=whole(1, 65535), default=PORT, metavar="N", help="of the broker"
    )
    parser.add_argument(
        "--passphrase", action="store_true", help="ask for one, for both keys"
    )


def add_camera(commands: argparse._SubParsersAction[Any]) -> None:
    """Join ``camera``."""
    words = "make all that one camera needs"
    parser = command(commands, "camera", words, CAMERA, f"{WORK}:admit_camera")
    _add_folder(parser, "of `doorsill-fleet ca`")
    for name, metavar in (("site", "SITE"), ("device", "ID")):
        parser.add_argument(name, metavar=metavar, help="a-z, 0-9 and -, at most 16")
    parser.add_argument(
        "--policy", type=Path, required=True, metavar="FILE", help="the signed one"
    )
    parser.add_argument(
        "--camera",
        default="picamera",
        metavar="DRIVER[:SOURCE]",
        help="picamera, video:/dev/video0, or street, which is simulated",
    )


def _add_folder(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=words)
