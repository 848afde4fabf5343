"""``doorsill-fleet ca`` and ``camera``: cameras in service, by hand."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from doorsill.office import controller
from doorsill_fleet.ca.authority import LEAF_VALID
from doorsill_fleet.office import camera_folder
from doorsill_fleet.office.camera_folder import Camera


def make_office(args: argparse.Namespace) -> int:
    """Make the folder; say what it holds and what must stay secret."""
    words = controller.new_passphrase() if args.passphrase else b""
    made = camera_folder.found(
        args.folder, args.broker, args.port, datetime.now(UTC), words
    )
    _say(f"made {made.folder}: keep it offline; who has it can make cameras")
    if not words:
        _say("its two keys have no passphrase; --passphrase would guard them")
    _say(f"  {made.folder / 'controller.key'}  signs policies: doorsill policy sign")
    install = f"doorsill-fleet broker install {made.broker}"
    _say(f"  {made.broker}  is for the broker: {install}")
    _say(f"  certificates are valid for {LEAF_VALID.days} days")
    return 0


def admit_camera(args: argparse.Namespace) -> int:
    """Make all that one camera needs."""
    driver, _, source = args.camera.partition(":")
    camera = Camera(args.site, args.device, args.policy, driver, source)
    found = camera_folder.open_office(args.folder)
    key = args.folder / "ca.key"
    made = camera_folder.admit(
        found,
        camera,
        datetime.now(UTC),
        lambda: controller.secret(f"passphrase of {key}: ").encode(),
    )
    names = ", ".join(sorted(each.name for each in made.iterdir()))
    _say(f"made {made}: {names}")
    _say(f"  on the camera, as root: cp {made}/* /etc/doorsill/")
    _say(f"  at the broker, as root: doorsill-fleet broker install {found.broker}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
