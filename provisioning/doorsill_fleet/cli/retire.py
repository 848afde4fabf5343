"""``doorsill-fleet device retire``: the end of a camera, with what has to be shown."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from doorsill.documents import canonical
from doorsill.documents.durable import put
from doorsill.documents.folders import make_folder
from doorsill.errors import ConfigError
from doorsill.policy.store import read_public_key
from doorsill_fleet.audit.shelf import Shelf
from doorsill_fleet.broker.members import write_access, write_revoked
from doorsill_fleet.broker.office_client import OfficeClient
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.ca.keys import open_issuing
from doorsill_fleet.cli.devices import say_broker
from doorsill_fleet.cli.opening import opened
from doorsill_fleet.cli.policy import signer_of
from doorsill_fleet.office.chain import Chain, open_chain
from doorsill_fleet.policies import signed
from doorsill_fleet.policies.push import Answers, alone, publish
from doorsill_fleet.policies.signed import Signed
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.tables import (
    ACTIVE,
    EXPECTED,
    RETIRED,
    PolicyRow,
    RetirementRow,
)
from doorsill_fleet.retirement.evidence import Evidence, evidence
from doorsill_fleet.retirement.farewell import has_vault, owed, without_consent
from doorsill_fleet.retirement.record import (
    BLANKED,
    NO_VAULT,
    NOT_CERTIFIED,
    WORDS,
    Ending,
    seal,
)

CERTIFICATES = "certificates"  # the folder of `receive`, see :func:`shelf_of`
LOOK_S = 1.0  # between two looks at what came home


@dataclass(frozen=True, slots=True)
class Leaving:
    """A device on its way out."""

    serial: str
    state: str
    evidence: Evidence

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.evidence.site} {self.evidence.device}"


def run(args: argparse.Namespace) -> int:
    """Blank its vault and wait for the certificate; then revoke it, with a record."""
    chain = open_chain(args.folder)
    authority = open_issuing(chain, lambda _: None)
    leaving = _leaving(args, chain)
    ending = _ending_without_wait(args, leaving)
    if ending is None:
        last = _last_policy(args, chain, leaving)
        _push(args, chain, leaving, last)
        missing = _wait(args, leaving, ending_policies(leaving.evidence, last))
        if missing:
            return _refuse(leaving, missing)
        ending = _blanked(args, leaving, last.policy.digest)
    return _retire(args, chain, authority, ending)


def _leaving(args: argparse.Namespace, chain: Chain) -> Leaving:
    given = args.certificates
    shelf = Shelf(given) if given is not None else shelf_of(chain.folder)
    with opened(args.folder) as (_, session):
        device = devices.require_device(session, args.serial)
        if device.state == RETIRED:
            raise ConfigError(f"{device.serial} is retired already; device show has it")
        found = evidence(chain, session, device, shelf, args.medium or [])
        return Leaving(device.serial, device.state, found)


def shelf_of(folder: Path) -> Shelf:
    """Where `receive` keeps certificates: beside its store, in ``folder`` or above."""
    return Shelf(folder / CERTIFICATES, (folder.absolute().parent / CERTIFICATES,))


def _ending_without_wait(args: argparse.Namespace, leaving: Leaving) -> Ending | None:
    """The ending where no certificate is owed, or none is waited for."""
    found = leaving.evidence
    came = found.shelf.of(found.site, found.device)
    if leaving.state == EXPECTED and not found.trust.known.signers:
        return _ending(args, leaving, NO_VAULT)  # it never came
    if not has_vault(found.bodies, came):
        return _ending(args, leaving, NO_VAULT)
    if args.without_certificate:
        return _ending(args, leaving, NOT_CERTIFIED)
    if leaving.state != ACTIVE:
        raise ConfigError(
            f"{leaving.serial} is {leaving.state}: no certificate of its vault "
            "can come any more; if that has to be enough: --without-certificate, which "
            "the record states"
        )
    return None


def _last_policy(args: argparse.Namespace, chain: Chain, leaving: Leaving) -> Signed:
    """Its newest policy, if that allows no faces; else one is signed that does not."""
    found = leaving.evidence
    with opened(args.folder) as (_, session):
        row = signed.newest(session, found.site, found.device)
        version = signed.last_version(session, found.site) + 1
    if row is not None and signed.policy_of(row).consent is None:
        return Signed(found.device, signed.policy_of(row), row.document.encode())
    before = found.bodies[-1]
    least = max(version, int(before["version"]) + 1)
    body: dict[str, Any] = without_consent(before, least)
    body["devices"] = [found.device]
    public = read_public_key(chain.folder / "controller.key.pub")
    made = signed.sign({found.device: body}, signer_of(args, chain), public)
    with opened(args.folder) as (_, session):
        signed.keep(session, found.site, made, datetime.now(UTC))
    return made[0]


def ending_policies(found: Evidence, last: Signed) -> set[str]:
    """The hashes of ``last`` and of those just before it that allow no faces either."""
    ended = itertools.takewhile(lambda each: "consent" not in each, found.bodies[::-1])
    return {last.policy.digest, *(canonical.digest(dict(each)) for each in ended)}


def _push(
    args: argparse.Namespace, chain: Chain, leaving: Leaving, last: Signed
) -> None:
    site, name = leaving.evidence.site, leaving.evidence.device
    answers = Answers(site, {name: last})
    with alone(chain, site), OfficeClient.of(chain, answers.hear) as office:
        publish(office, answers)
    with opened(args.folder) as (_, session):
        row = session.get(PolicyRow, (site, name, last.policy.version))
        if row is not None:
            row.pushed = int(datetime.now(UTC).timestamp())
    _say(f"pushed the last policy of {leaving.name}: no face may be stored any more")


def _wait(
    args: argparse.Namespace, leaving: Leaving, digests: Collection[str]
) -> list[str]:
    """What is still owed when the time is over; empty as soon as nothing is."""
    ends = time.monotonic() + args.wait
    where = str(leaving.evidence.shelf)
    while missing := owed(leaving.evidence.judge(), digests, where):
        left = ends - time.monotonic()
        if left <= 0:
            return missing
        time.sleep(min(LOOK_S, left))
    return []


def _refuse(leaving: Leaving, missing: list[str]) -> int:
    _say(f"{leaving.serial} is NOT retired:")
    for each in missing:
        _say(f"  {each}")
    _say("  if it can never come: --without-certificate, which the record states")
    return 1


def _blanked(args: argparse.Namespace, leaving: Leaving, digest: str) -> Ending:
    found = leaving.evidence.judge()
    newest = found.newest.sha256 if found.newest else None
    return _ending(args, leaving, BLANKED, digest, len(found.verified), newest)


def _ending(
    args: argparse.Namespace,
    leaving: Leaving,
    vault: str,
    policy: str | None = None,
    certificates: int = 0,
    newest: str | None = None,
) -> Ending:
    site, device = leaving.evidence.site, leaving.evidence.device
    return Ending(
        leaving.serial, site, device, vault, args.why, policy, certificates, newest
    )


def _retire(
    args: argparse.Namespace, chain: Chain, authority: Authority, ending: Ending
) -> int:
    now = datetime.now(UTC)
    with opened(args.folder) as (_, session):
        void = devices.retire(session, ending.serial, now)
        record = seal(ending, void, authority, now)
        _keep(session, ending.serial, record, now)
        write_access(chain, session)
        write_revoked(chain, session, authority, now)
        path = chain.folder / "retired" / f"{ending.serial}.json"
        make_folder(path.parent)
        put(path, record)
    _say(
        f"retired {ending.serial}, {ending.site} {ending.device}: {WORDS[ending.vault]}"
    )
    _say(f"  {len(void)} certificates are void; the signed record: {path}")
    say_broker(chain, revokes=True)
    return 0


def _keep(session: Session, serial: str, record: bytes, now: datetime) -> None:
    utc = int(now.timestamp())
    session.add(RetirementRow(serial=serial, retired=utc, record=record.decode()))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
