"""``doorsill-fleet site``, ``device`` and ``devices``: who belongs to the fleet."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select
from sqlalchemy.orm import Session

from doorsill.documents.durable import OWNER_ALONE, put
from doorsill.documents.files import require_new
from doorsill.documents.voucher import Voucher, root_mark
from doorsill.errors import UplinkError
from doorsill_fleet.broker.local import is_run, obeys
from doorsill_fleet.broker.members import write_access, write_revoked
from doorsill_fleet.ca.keys import open_issuing
from doorsill_fleet.cli import health
from doorsill_fleet.cli.opening import opened
from doorsill_fleet.office.chain import Chain, open_chain
from doorsill_fleet.policies.signed import last_version
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.handing_out import Label, as_csv, as_pdf
from doorsill_fleet.registry.tables import (
    Device,
    RetirementRow,
    Site,
    SiteBroker,
    VoucherRow,
)
from doorsill_fleet.retirement import record

OBEYS_WITHIN_S = 60.0  # limit for the local broker to obey a new list
LOOK_S = 0.2  # between two looks at whether it does


def add_site(args: argparse.Namespace) -> int:
    """Add a shop."""
    with opened(args.folder) as (_, session):
        devices.add_site(session, args.site, datetime.now(UTC), approves=args.approve)
    _say(f"added {args.site}; next: doorsill-fleet device add --site {args.site}")
    _say(f"  then what they may do: doorsill-fleet policy edit {args.site}")
    return 0


def list_sites(args: argparse.Namespace) -> int:
    """Each shop, with how many cameras it has and whether it has a policy."""
    with opened(args.folder) as (chain, session):
        for each in session.scalars(select(Site).order_by(Site.name)):
            count = len(devices.devices(session, each.name))
            signed = last_version(session, each.name)
            has = f"policy {signed}" if signed else "no policy yet"
            if not signed and chain.policy_of(each.name) is not None:
                has = "a policy"  # put there by hand
            asks = ", approved by a person" if each.approves else ""
            _say(f"{each.name:16}  {count} devices, {has}{asks}")
    return 0


def add_devices(args: argparse.Namespace) -> int:
    """Add cameras, and write their vouchers as a table and as labels."""
    table, sheet = (args.out.with_suffix(each) for each in (".csv", ".pdf"))
    for path in (table, sheet):
        require_new(path)
    valid = timedelta(days=args.days)
    with opened(args.folder) as (chain, session):
        now = datetime.now(UTC)
        made = devices.add_devices(session, args.site, args.count, now, valid)
        _write(chain, made, table, sheet)
        write_access(chain, session)
    _say(f"added {len(made)} devices to {args.site}: {made[0].device} and on")
    _say_vouchers(table, sheet, args.days)
    say_broker(chain)
    return 0


def approve_device(args: argparse.Namespace) -> int:
    """Approve the key with which a camera asked."""
    with opened(args.folder) as (_, session):
        key = devices.approve(session, args.serial)
    _say(f"approved {args.serial} with the key {key[:16]}; it asks again by itself")
    return 0


def revoke_device(args: argparse.Namespace) -> int:
    """Take a camera's certificates back."""
    with _taking_back(args.folder) as (chain, session, now):
        count = devices.revoke(session, args.serial, now, args.why)
    _say(f"revoked {args.serial}: {count} certificates and its vouchers")
    say_broker(chain, revokes=True)
    return 0


def replace_device(args: argparse.Namespace) -> int:
    """Another board or card under the same name."""
    _require_free(args.out)
    with _taking_back(args.folder) as (chain, session, now):
        made = devices.replace(session, args.serial, now, timedelta(days=args.days))
        _write(chain, [made], *_paths(args.out))
    _say(f"{args.serial} stays {made.site} {made.device}; its old certificate is void")
    _say_vouchers(*_paths(args.out), args.days)
    say_broker(chain, revokes=True)
    return 0


def move_device(args: argparse.Namespace) -> int:
    """To another shop."""
    _require_free(args.out)
    with _taking_back(args.folder) as (chain, session, now):
        valid = timedelta(days=args.days)
        made = devices.move(session, args.serial, args.site, now, valid)
        _write(chain, [made], *_paths(args.out))
    _say(f"{args.serial} is {made.site} {made.device} now; its old certificate is void")
    _say_vouchers(*_paths(args.out), args.days)
    say_broker(chain, revokes=True)
    return 0


def show_device(args: argparse.Namespace) -> int:
    """One camera, its voucher and its certificates."""
    now = datetime.now(UTC).timestamp()
    with opened(args.folder) as (chain, session):
        device = devices.require_device(session, args.serial)
        _say(f"{device.serial}: {device.site} {device.name}, {device.state}")
        if device.asked_key and device.asked_key != device.approved_key:
            _say(f"  waits for: doorsill-fleet device approve {device.serial}")
        wanted = select(VoucherRow).where(VoucherRow.serial == device.serial)
        for voucher in session.scalars(wanted):
            _say(f"  voucher: {_of_voucher(voucher, now)}")
        ended = session.get(RetirementRow, device.serial)
        if ended is not None:
            body = record.read(ended.record.encode(), chain.issuing)
            _say(f"  retired {body['retired']}: {record.WORDS[body['vault']]}")
        for row in devices.certificates(session, device.serial):
            ends = f"revoked {_day(row.revoked)}: {row.why}" if row.revoked else ""
            _say(
                f"  certificate {row.fingerprint[:16]}, from {_day(row.issued)}, "
                f"{ends or f'good until {_day(row.ends)}'}"
            )
    return 0


def list_devices(args: argparse.Namespace) -> int:
    """Each camera in a line; with a store, how it is and what to do."""
    now = datetime.now(UTC).timestamp()
    verdicts = health.verdicts(args.store, int(now)) if args.store else None
    with opened(args.folder) as (_, session):
        found = devices.devices(session, args.site)
        site, name = _widest(e.site for e in found), _widest(e.name for e in found)
        for each in found:
            who = f"{each.serial}  {each.site:{site}}  {each.name:{name}}"
            words = _next(session, each, now)
            if verdicts is not None and each.state == "active":
                words = health.words(verdicts, each.site, each.name)
            _say(folded(f"{who}  ", words))
    return 0


def folded(who: str, words: str) -> str:
    """A camera's line; in a terminal, words that are too long go on below themselves.

    A pipe gets one line for each camera.
    """
    if not sys.stdout.isatty():
        return who + words
    columns = shutil.get_terminal_size().columns
    return textwrap.fill(
        words, columns, initial_indent=who, subsequent_indent=" " * len(who)
    )


def _widest(names: Iterable[str]) -> int:
    """Columns for these names: a terminal has 80, and the words want the rest."""
    return max(map(len, names), default=1)


def _next(session: Session, device: Device, now: float) -> str:
    """The state in words, with what to do next."""
    good = [e for e in devices.certificates(session, device.serial) if not e.revoked]
    if device.state == "active" and good:
        if good[0].ends <= now:
            return f"certificate expired {_day(good[0].ends)}: device replace"
        return f"active, certificate until {_day(good[0].ends)}"
    if device.state == "expected":
        if device.asked_key:
            return "waits for approval: device approve"
        wanted = select(VoucherRow).where(VoucherRow.serial == device.serial)
        found = session.scalars(wanted).first()
        return f"expected, voucher {_of_voucher(found, now) if found else 'is gone'}"
    return device.state


def _of_voucher(found: VoucherRow, now: float) -> str:
    if found.used is not None:
        return f"used {_day(found.used)}"
    if found.expires <= now:
        return f"expired {_day(found.expires)}: device replace"
    return f"good until {_day(found.expires)}"


@contextmanager
def _taking_back(folder: Path) -> Iterator[tuple[Chain, Session, datetime]]:
    """As :func:`opened`; at the end the broker's two lists say what the register says.

    The key is asked for first: a revocation is not to stop half-way for a passphrase.
    """
    authority = open_issuing(open_chain(folder), lambda _: None)
    with opened(folder) as (chain, session):
        now = datetime.now(UTC)
        yield chain, session, now
        session.flush()
        write_access(chain, session)
        write_revoked(chain, session, authority, now)


def _write(chain: Chain, made: list[HandedOut], table: Path, sheet: Path) -> None:
    """The vouchers, for their owner alone: they are secrets until they are used."""
    places, mark = chain.places, root_mark(chain.root.public_bytes(Encoding.DER))
    host = places.hosts[0]
    labels = [
        Label(each, Voucher(host, places.port, each.serial, each.secret, mark))
        for each in made
    ]
    put(table, as_csv(labels), OWNER_ALONE)
    put(sheet, as_pdf(labels), OWNER_ALONE)


def _paths(out: Path) -> tuple[Path, Path]:
    return out.with_suffix(".csv"), out.with_suffix(".pdf")


def _require_free(out: Path) -> None:
    for each in _paths(out):
        require_new(each)


def _say_vouchers(table: Path, sheet: Path, days: int) -> None:
    _say(f"  vouchers, good once and for {days} days: {table}, labels: {sheet}")
    _say("  on the camera, as root: doorsill enrol")


def say_broker(chain: Chain, *, revokes: bool = False) -> None:
    """Say how the broker learns of it; where `serve` runs it, wait until it has."""
    if not chain.places.local:
        _say("  for this to hold, at the broker, as root:")
        _say(f"    doorsill-fleet broker install {chain.broker}")
    elif not is_run(chain.broker):
        _say("  the broker does not run; with `doorsill-fleet serve` it obeys this")
    else:
        _wait_until_it_obeys(chain)
        ends = "has ended its connection, and refuses a new one"
        _say(f"  the broker {ends if revokes else 'lets them in'}")
    if revokes:
        _say_own_brokers(chain)


def _say_own_brokers(chain: Chain) -> None:
    """Say how those of shops learn of it, if a shop has one."""
    with opened(chain.folder) as (_, session):
        sites = session.scalars(select(SiteBroker.site).order_by(SiteBroker.site)).all()
    if sites:
        _say(f"  the own broker of {', '.join(sites)} does so within a minute,")
        _say("    where `doorsill-fleet broker follow` runs beside it")


def _wait_until_it_obeys(chain: Chain) -> None:
    ends = time.monotonic() + OBEYS_WITHIN_S
    while not obeys(chain.broker):
        if time.monotonic() > ends:
            raise UplinkError(
                f"the broker that `serve` runs does not obey it within "
                f"{OBEYS_WITHIN_S:g} s; see its log, {chain.broker / 'log'}"
            )
        time.sleep(LOOK_S)


def _day(utc: int) -> str:
    return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
