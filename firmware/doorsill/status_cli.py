"""``doorsill status``: what a technician needs, and the first step where it is red.

It reads files and the kernel's list of sockets, asks the vault how it is, and changes
nothing, so it can be asked at any time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from doorsill import __version__
from doorsill.config import Config, add_config, load_config
from doorsill.consent.control import ask
from doorsill.consent.premises import socket_of
from doorsill.device import identity
from doorsill.device.policy_store import store_of
from doorsill.errors import ConfigError, DoorsillError, UplinkError
from doorsill.privacy.budget import day_of
from doorsill.registry import load_manifest, shipped, verified_model
from doorsill.uplink.glance import glance
from doorsill.vision.detectors import model_bytes

GREEN, ORANGE, RED = "green", "orange", "red"
DAYS_SOON = 30
MIB = 1 << 20
DISK_LEAST_MIB, DISK_SOON_MIB = 16, 128  # of the file system
ESTABLISHED = "01"  # of the kernel's list of connections
WAITING_MANY = 120  # rows: an hour of two lines
EPILOG = """\
examples:
  doorsill status
  doorsill status --config shop.toml --json

Exit code: 0 when everything is green or orange, 1 when something is red.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    light: str
    says: str
    step: str = ""  # what to do first


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = subparsers.add_parser(
        "status",
        help="say what a technician needs to know",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 when something is red."""
    findings = list(report(load_config(args.config), datetime.now(UTC)))
    if args.json:
        sys.stdout.write(json.dumps([asdict(each) for each in findings]) + "\n")
    else:
        table = Table("", "", "", "first step")
        for each in findings:
            light = f"[{'yellow' if each.light == ORANGE else each.light}]●[/]"
            table.add_row(light, each.what, each.says, each.step)
        Console().print(table)
    return int(any(each.light == RED for each in findings))


def report(config: Config, now: datetime) -> Iterator[Finding]:
    """Everything, in the order in which a technician would ask."""
    yield Finding(
        "device",
        GREEN,
        f"{config.device.id} at {config.device.site}, firmware {__version__}",
    )
    parts: tuple[tuple[str, Callable[[Config, datetime], Finding], str], ...] = (
        ("vision", _vision, "journalctl -u doorsill-vision"),
        ("policy", _policy, "doorsill policy check FILE --controller KEY"),
        ("certificate", _certificate, "have the fleet issue a new one"),
        ("model", _model, "doorsill models verify"),
        ("broker", _broker, "journalctl -u doorsill-uplink"),
        ("outbox", _outbox, "journalctl -u doorsill-uplink"),
        ("disk", _disk, "have a look at the disk"),
    )
    if config.consent is not None:
        parts += (("vault", _vault, "journalctl -u doorsill-vault"),)
    for name, part, step in parts:
        try:
            yield part(config, now)
        except DoorsillError as error:
            yield Finding(name, RED, str(error), step)


def _vision(config: Config, now: datetime) -> Finding:
    if _listens(config.cell_socket):
        return Finding("vision", GREEN, "runs and listens for the uplink")
    return Finding(
        "vision", RED, "does not run", "systemctl start doorsill.target, or journalctl"
    )


def _vault(config: Config, now: datetime) -> Finding:
    """One that does not run is orange: no face can be stored."""
    try:
        told, _ = ask(socket_of(config), "status")
    except ConfigError as error:
        return Finding("vault", ORANGE, str(error), "systemctl start doorsill-vault")
    lamp = {True: ", lamp lit", False: ", lamp dark", None: ""}[told["lamp"]]
    if told["state"] == "open":
        says = f"OPEN for {told['purpose']}, {told['sealed']} crops sealed"
        return Finding("vault", GREEN, says + lamp)
    if told["verified_blank"]:
        return Finding("vault", GREEN, "BLANK (verified)" + lamp)
    if told["without_power"]:
        return Finding("vault", GREEN, "SHUT: its memory has no power" + lamp)
    step = "doorsill vault blank, and see its certificate"
    return Finding("vault", RED, "SHUT, but not verified blank" + lamp, step)


def _listens(path: Path) -> bool:
    """Whether a process has ``path`` bound, in whatever network namespace it lives.

    The kernel lists local sockets by namespace, and vision has one of its own. To
    connect would be simpler and would throw the uplink out.
    """
    seen: set[str] = set()
    for process in sorted(Path("/proc").glob("[0-9]*")):
        with contextlib.suppress(OSError):
            namespace = str((process / "ns" / "net").readlink())
            if namespace not in seen:
                seen.add(namespace)
                if f" {path}\n" in (process / "net" / "unix").read_text("utf-8"):
                    return True
    return False


def _policy(config: Config, now: datetime) -> Finding:
    found = store_of(config).load()
    attributes = f"attributes on, notice {found.notice}" if found.attributes else ""
    lines = f"{len(found.lines)} line{'s' * (len(found.lines) != 1)}"
    says = f"version {found.version}, {lines}, {found.digest[:16]}"
    return Finding("policy", GREEN, ", ".join(filter(None, (says, attributes))))


def _certificate(config: Config, now: datetime) -> Finding:
    ends = identity.read_certificate(config.broker.certificate).not_valid_after_utc
    left = (ends - now).days
    says = f"valid until {ends:%Y-%m-%d}, {left} days"
    if left < 0:
        return Finding("certificate", RED, says, "have the fleet issue a new one")
    step = "renew it soon" if left < DAYS_SOON else ""
    return Finding("certificate", ORANGE if step else GREEN, says, step)


def _model(config: Config, now: datetime) -> Finding:
    name = config.model.detector
    if name.endswith(".tflite"):
        digest = hashlib.sha256(model_bytes(config.model)).hexdigest()
        return Finding("model", ORANGE, f"{Path(name).name}, {digest[:16]}, not ours")
    manifest = load_manifest(Path(name)) if name.endswith(".toml") else shipped(name)
    verified_model(manifest)
    says = f"{manifest.name} {manifest.version}, {manifest.sha256[:16]}"
    light = GREEN if manifest.status == "stable" else ORANGE
    return Finding("model", light, f"{says}, {manifest.status}")


def _broker(config: Config, now: datetime) -> Finding:
    broker = config.broker
    where = f"{broker.host}:{broker.port}"
    if _is_connected(broker.port):
        return Finding("broker", GREEN, f"a connection to {where} is open")
    says = f"no connection to {where}; what is counted is kept until there is one"
    step = "journalctl -u doorsill-uplink says why; is the broker reachable?"
    return Finding("broker", ORANGE, says, step)


def _is_connected(port: int) -> bool:
    """Whether a process of this machine has a TCP connection to ``port`` open."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError):
            for row in table.read_text("ascii").splitlines()[1:]:
                remote, state = row.split()[2:4]
                if state == ESTABLISHED and int(remote.rsplit(":")[-1], 16) == port:
                    return True
    return False


def _outbox(config: Config, now: datetime) -> Finding:
    if not config.outbox.exists():
        return Finding("outbox", ORANGE, "is not there yet; uplink has not run")
    try:
        numbers = _outbox_numbers(config.outbox, day_of(int(now.timestamp())))
    except UplinkError as error:
        return Finding("outbox", RED, str(error), "stop uplink and keep the file")
    says = ", ".join(f"{name} {value}" for name, value in numbers.items())
    if numbers["dropped"] or numbers["dead letters"]:
        return Finding("outbox", RED, says, "look at the broker's access list and log")
    many = numbers["waiting"] > WAITING_MANY
    step = "is the broker reachable? nothing is lost yet" if many else ""
    return Finding("outbox", ORANGE if many else GREEN, says, step)


def _disk(config: Config, now: datetime) -> Finding:
    folder = config.device.state
    try:
        free = shutil.disk_usage(folder).free / MIB
    except OSError as error:
        return Finding(
            "disk", ORANGE, f"{folder}: {error.strerror}", "start uplink once"
        )
    light = RED if free < DISK_LEAST_MIB else ORANGE if free < DISK_SOON_MIB else GREEN
    step = "" if light == GREEN else f"make room there: df {folder}"
    return Finding("disk", light, f"{free:.0f} MiB free under {folder}", step)


def _outbox_numbers(path: Path, today: int) -> dict[str, int | float]:
    found = glance(path)
    spent = found.spent_micro / 1e6 if found.day == today else 0.0
    return {
        "waiting": found.waiting,
        "dropped": found.dropped,
        "dead letters": found.buried,
        "epsilon spent today": spent,
    }
