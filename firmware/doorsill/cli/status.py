"""``doorsill status``: what a technician needs, and the first step if it is red.

It reads files, asks the kernel which processes run, and asks the processes how they
are. It changes nothing, so it can be run at any time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from doorsill import __version__
from doorsill.cli import status_asked, status_looked
from doorsill.cli.status_asked import GREEN, ORANGE, RED, ROOT, Finding, Shop
from doorsill.commandline.help import columns_here
from doorsill.commandline.tables import lights
from doorsill.config import Config, load_config
from doorsill.errors import DoorsillError

LIGHTS = {GREEN: "ok", ORANGE: "look", RED: "WRONG"}


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 if something is red."""
    findings = list(report(load_config(args.config), datetime.now(UTC)))
    if args.json:
        sys.stdout.write(json.dumps([asdict(each) for each in findings]) + "\n")
    else:
        rows = [(LIGHTS[e.light], e.what, e.says, e.step) for e in findings]
        for line in lights(rows, columns_here()):
            sys.stdout.write(f"{line}\n")
    return int(any(each.light == RED for each in findings))


def report(config: Config, now: datetime) -> Iterator[Finding]:
    """Everything, in the order in which a technician would ask."""
    where = f"{config.device.id} at {config.device.site}, firmware {__version__}"
    yield Finding("device", GREEN, where)
    shop = Shop(config, now)
    shop.hear()
    parts: tuple[tuple[str, Callable[[Shop], Finding], str], ...] = (
        ("vision", status_asked.vision, "journalctl -u doorsill-vision"),
        ("camera", status_asked.camera, "journalctl -u doorsill-vision"),
        ("uplink", status_asked.uplink, "journalctl -u doorsill-uplink"),
        ("broker", status_asked.broker, "journalctl -u doorsill-uplink"),
        ("policy", status_looked.policy, "doorsill policy check FILE --controller KEY"),
        ("certificate", status_looked.certificate, "have the fleet issue a new one"),
        ("clock", status_looked.time, "timedatectl"),
        ("locks", status_asked.locks, "doorsill check"),
        ("model", status_looked.model, "doorsill models verify"),
        ("outbox", status_looked.outbox, "journalctl -u doorsill-uplink"),
        ("disk", status_looked.disk, "have a look at the disk"),
        ("power", status_looked.power, "have a look at the supply"),
    )
    for name, part, step in parts:
        yield _one(name, part, shop, step)
    if config.consent is not None:
        yield from status_asked.vault(shop)


def _one(name: str, part: Callable[[Shop], Finding], shop: Shop, step: str) -> Finding:
    try:
        return part(shop)
    except PermissionError as error:
        why = f"this user may not look: {error.filename}"
        return Finding(name, ORANGE, why, ROOT)
    except DoorsillError as error:
        if "run as root" in str(error) or "Permission denied" in str(error):
            return Finding(name, ORANGE, str(error), ROOT)
        return Finding(name, RED, str(error), step)
