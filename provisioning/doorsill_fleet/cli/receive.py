"""``doorsill-fleet receive``: from the broker into a file, until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import select
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509.oid import NameOID
from rich.console import Console

from doorsill.documents import pem
from doorsill.documents.fields import split_place
from doorsill.errors import ConfigError, UplinkError
from doorsill.process.holder import hold_alone
from doorsill.process.stopping import listen
from doorsill_fleet.audit.shelf import Shelf
from doorsill_fleet.ca.authority import READER, require_name
from doorsill_fleet.ingest.quarantine import Quarantine
from doorsill_fleet.ingest.subscriber import Part, Reader, Subscriber
from doorsill_fleet.office.chain import READERS, places_in
from doorsill_fleet.store.csv import CsvStore
from doorsill_fleet.store.engine import shown, url_of
from doorsill_fleet.store.retention import Retention
from doorsill_fleet.store.windows import Store

log = logging.getLogger(__name__)

PORT = 8883  # where a broker usually listens, with TLS
UPDATE_S = 1.0  # between two updates of the view
SAY_S = 600.0  # between two log lines without a terminal
DEVICES_MOST = 10_000  # devices whose last message is remembered
PART = re.compile(r"(\d{1,2})/(\d{1,2})")


def run(args: argparse.Namespace) -> int:
    """Receive until a signal, or for ``args.seconds``."""
    if args.site:
        require_name(args.site)
    if args.csv and not args.csv.parent.is_dir():
        folder = args.csv.parent
        raise ConfigError(f"{args.csv} cannot be written: there is no folder {folder}")
    part = part_of(args)
    reader = reader_of(args, part)
    store, where, aside = store_of(args, reader)
    with contextlib.closing(store):
        receiving = Receiving(Subscriber(reader, store, part=part), where, aside)
        receiving.subscriber.heard = receiving.heard
        receiving.subscriber.shelf = Shelf(shelf_of(args))
        receiving.retention = retention_of(args, store)
        try:
            receiving.last(args.seconds)
        finally:
            receiving.subscriber.stop()
            sys.stdout.write(receiving.summary() + "\n")
    if not receiving.subscriber.ready.is_set():
        raise UplinkError(receiving.subscriber.away or "the broker was never reached")
    return 0


def shelf_of(args: argparse.Namespace) -> Path:
    """The folder for blanking certificates: beside the file, or where we started."""
    url = None if args.csv else url_of(str(args.store or args.sqlite))
    file = args.csv or (url.database if url and "sqlite" in url.drivername else None)
    return Path(file or "store").with_name("certificates")


def part_of(args: argparse.Namespace) -> Part:
    """The part of the devices that this worker keeps; ConfigError names the option."""
    found = PART.fullmatch(args.part or "1/1")
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f"--part {args.part} must be as 1/2, the first of two")
    if args.csv and args.part:
        raise ConfigError("--part is for a --store; a CSV file has one writer")
    return Part(int(found[1]), int(found[2]))


def retention_of(args: argparse.Namespace, store: CsvStore | Store) -> Retention | None:
    """What deletes by itself; ConfigError for a CSV file, which a person cuts."""
    if args.keep_days is None:
        return None
    if isinstance(store, CsvStore):
        raise ConfigError("--keep-days is for a --store; a CSV file is not cut")
    return Retention(store.engine, args.keep_days)


def store_of(
    args: argparse.Namespace, reader: Reader
) -> tuple[CsvStore | Store, str, str]:
    """Where the rows go, its name for a person, and where strangers are set aside."""
    site = args.site or ""
    if args.csv:
        hold_alone(args.csv.with_name(args.csv.name + ".lock"))
        path = args.csv.with_name(args.csv.name + ".quarantine.jsonl")
        aside = Quarantine(path, _now)
        return CsvStore(args.csv, site, aside), str(args.csv), str(path)
    url = url_of(str(args.store or args.sqlite))
    if url.get_backend_name() == "sqlite" and url.database:
        # Several workers may write to one file, each with a certificate of its own.
        path = Path(url.database)
        if path.parent.is_dir():
            hold_alone(path.with_name(f"{path.name}.{reader.name}.lock"))
    store = Store(str(args.store or args.sqlite), site)
    return store, shown(store.engine), "its table quarantine"


def reader_of(args: argparse.Namespace, part: Part) -> Reader:
    """The broker, our name and our files; ConfigError names the file or option."""
    place = broker_of(args)
    folder, own = args.folder or Path(), f"reader-{_reader_for(part)}"
    ca = args.ca or folder / "ca.pem"
    certificate = args.certificate or folder / f"{own}.pem"
    key = args.key or folder / f"{own}.key"
    if not ca.is_file():
        raise ConfigError(f"--ca {ca} is not there; it holds the broker's CA")
    name = reader_named(certificate)
    pem.read_key(key)
    return Reader(name, *place, ca, certificate, key)


def broker_of(args: argparse.Namespace) -> tuple[str, int]:
    """Host and port: as typed, or as the chain's folder says."""
    if args.folder is not None:
        places = places_in(args.folder)
        return places.broker, places.broker_port
    found = split_place(args.broker, PORT)
    if found is None:
        raise ConfigError(f"--broker {args.broker} must be HOST or HOST:PORT")
    return found


def _reader_for(part: Part) -> str:
    """The chain has a reader for each of two workers; a third needs files as typed."""
    return READERS[min(part.number, len(READERS)) - 1]


def reader_named(path: Path) -> str:
    """The reader that the certificate names."""
    certificate = pem.read_certificate(path)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common = str(names[0].value) if len(names) == 1 else ""
    if not common.startswith(READER):
        raise ConfigError(
            f"{path} is not a reader's: its common name is {common[:40]!r} and must be "
            f"{READER}NAME; a camera may not read"
        )
    return require_name(common.removeprefix(READER))


@dataclass(slots=True)
class Receiving:
    """The subscriber, and what it has received so far."""

    subscriber: Subscriber
    where: str  # the rows go
    aside: str  # messages of no camera go
    retention: Retention | None = None
    _devices: dict[str, float] = field(
        default_factory=dict
    )  # last message, s, monotonic
    _said_at: float = field(default_factory=time.monotonic)

    def heard(self, topic: str, payload: bytes) -> None:
        """Note a device's message, in the subscriber's thread; up to DEVICES_MOST."""
        name = "/".join(topic.split("/")[1:3])
        if name in self._devices or len(self._devices) < DEVICES_MOST:
            self._devices[name] = time.monotonic()

    def last(self, seconds: float | None) -> None:
        """Begin, and go on until a signal or for ``seconds``."""
        stop = listen()
        bell = stop.bell()
        ends = None if seconds is None else time.monotonic() + seconds
        self.subscriber.start()
        console = Console(stderr=True)
        with console.status(self.progress()) as shown:
            while not stop.asked:
                left = (
                    UPDATE_S if ends is None else min(UPDATE_S, ends - time.monotonic())
                )
                if left <= 0:
                    return
                select.select([bell], [], [], left)
                shown.update(self.progress())
                self._say(console.is_terminal)
                self._forget()

    def _say(self, terminal: bool) -> None:
        now = time.monotonic()
        if not terminal and now - self._said_at >= SAY_S:
            self._said_at = now
            log.info("%s", self.progress())

    def _forget(self) -> None:
        """Delete what is too old; where the disk fails, later."""
        if self.retention is None:
            return
        try:
            for each in self.retention.forget(int(time.time())):
                log.info("%s", each.said("deleted"))
        except UplinkError as error:
            log.error("%s; what is too old is deleted later", error)

    def progress(self) -> str:
        """One line."""
        kept = self.subscriber.kept
        heard = max(self._devices.values(), default=None)
        last = "" if heard is None else f", last {time.monotonic() - heard:.0f} s ago"
        return (
            f"{kept.new} new, {kept.repeated} repeated, {kept.rejected} set aside, of "
            f"{len(self._devices)} devices{last}"
        )

    def summary(self) -> str:
        """What was received, and where it is stored."""
        kept = self.subscriber.kept
        said = f"{self.where}: {kept.new} new, {kept.repeated} came again, from "
        said += f"{len(self._devices)} devices"
        if kept.rejected:
            said += (
                f"; {kept.rejected} messages were of no camera, the first of them are "
                f"in {self.aside}"
            )
        return said


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
