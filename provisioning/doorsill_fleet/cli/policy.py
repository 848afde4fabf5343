"""``doorsill-fleet policy``: from a draft to what cameras obey."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from doorsill.documents.canonical import SignBytes
from doorsill.documents.durable import put
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError
from doorsill.office import controller
from doorsill.policy.notice import notice_text
from doorsill.policy.store import read_public_key
from doorsill.policy.words import differences, summary
from doorsill_fleet.broker.office_client import OfficeClient
from doorsill_fleet.cli.opening import opened
from doorsill_fleet.office.chain import Chain, open_chain
from doorsill_fleet.policies import signed
from doorsill_fleet.policies.draft import Draft, read
from doorsill_fleet.policies.editing import draft_at, edited
from doorsill_fleet.policies.facts import facts
from doorsill_fleet.policies.push import Answers, alone, publish, wait
from doorsill_fleet.policies.signed import Signed
from doorsill_fleet.policies.standing import Standing, standing
from doorsill_fleet.registry.devices import require_site
from doorsill_fleet.registry.tables import PolicyRow, Site

COLUMNS = ("device", "in force", "pushed", "refused", "next step")


def edit(args: argparse.Namespace) -> int:
    """Open the draft in an editor, keep it, and say what is wrong in it."""
    with opened(args.folder) as (chain, session):
        site = require_site(session, args.site).name
        members = signed.members_of(session, site)
        last = signed.last_version(session, site)
    path = edited(chain.folder, site, members, last)
    try:
        found = read(read_file(path), site, members)
    except ConfigError as error:
        raise error.of(path) from None
    _say(f"kept {path}: version {found.version}, for {len(found.devices)} cameras")
    _say(f"  next: doorsill-fleet policy diff {site}, then policy sign {site}")
    return 0


def diff(args: argparse.Namespace) -> int:
    """One sentence for each difference; cameras with the same ones stand together."""
    with opened(args.folder) as (chain, session):
        draft = _draft(chain, session, args.site)
        said: dict[tuple[str, ...], list[str]] = {}
        for name in draft.devices:
            said.setdefault(_changes(session, args.site, draft, name), []).append(name)
    for sentences, names in said.items():
        _say(f"{', '.join(names)}:")
        for each in sentences or ("nothing changes",):
            _say(f"  {each}")
    return 0 if any(said) else 1


def sign(args: argparse.Namespace) -> int:
    """Sign the draft for each camera, and take its version."""
    with opened(args.folder) as (chain, session):
        draft = _draft(chain, session, args.site)
        changed = list(signed.changed(session, args.site, draft))
    if not changed:
        raise ConfigError(
            f"the draft of {args.site} says what was signed already; nothing is to sign"
        )
    public = read_public_key(chain.folder / "controller.key.pub")
    made = signed.sign(draft.bodies, signer_of(args, chain), public)
    with opened(args.folder) as (_, session):
        signed.keep(session, args.site, made, datetime.now(UTC))
    folder = _put(chain, args.site, made)
    _say(f"signed version {draft.version} for {len(made)} cameras of {args.site}")
    _say(f"  the documents, and the signs for the doors: {folder}")
    _say(f"  next: doorsill-fleet policy push {args.site}")
    return 0


def push(args: argparse.Namespace) -> int:
    """Publish, and wait for the cameras; 0 if the policy is in force in all of them."""
    chain = open_chain(args.folder)
    with opened(args.folder) as (_, session):
        site = require_site(session, args.site).name
    with ExitStack() as kept:
        with alone(chain, site):
            with opened(args.folder) as (_, session):
                answers = Answers(site, _newest(session, site))
            office = kept.enter_context(OfficeClient.of(chain, answers.hear))
            publish(office, answers)
            _note(args.folder, answers, "pushed", list(answers.wanted))
        _say(f"pushed version {_versions(answers)} to {len(answers.wanted)} cameras")
        wait(office, answers, args.wait, _say)
    _note(args.folder, answers, "in_force", sorted(answers.in_force))
    for name in sorted(answers.wanted.keys() - answers.in_force):
        if name not in answers.refused:
            _say(f"  {name}: has not said yet; it gets it when it is back")
    if answers.in_force >= answers.wanted.keys():
        return 0
    _say(f"  see also: doorsill-fleet policy status {site}")
    return 1


def status(args: argparse.Namespace) -> int:
    """The table; 1 if something is to do."""
    rows: list[tuple[str, Standing]] = []
    with opened(args.folder) as (_, session):
        for site in _sites(session, args.site):
            rows += [(site, standing(each, site)) for each in facts(session, site)]
    table = [("site", *COLUMNS)]
    for site, row in rows:
        shown = (row.device, row.in_force, row.pushed, row.refused, row.step)
        table.append((site, *shown))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        _say("  ".join(cells).rstrip())
    return 0 if all(row.good for _, row in rows) else 1


def _draft(chain: Chain, session: Session, site: str) -> Draft:
    """The draft as it is kept; ConfigError names its file."""
    members = signed.members_of(session, require_site(session, site).name)
    path = draft_at(chain.folder, site)
    if not path.exists():
        raise ConfigError(f"{site} has no draft: doorsill-fleet policy edit {site}")
    try:
        return read(read_file(path), site, members)
    except ConfigError as error:
        raise error.of(path) from None


def _changes(session: Session, site: str, draft: Draft, name: str) -> tuple[str, ...]:
    row = signed.newest(session, site, name)
    if row is None:
        return ("its first policy:", *summary(draft.policies[name]).splitlines())
    found = differences(signed.policy_of(row), draft.policies[name])
    return tuple(each for each in found if not each.startswith("version: "))


def signer_of(args: argparse.Namespace, chain: Chain) -> SignBytes:
    """What signs for the controller, as ``--key``, ``--card`` and ``--reader`` say."""
    if args.card:
        public = args.key or chain.folder / "controller.key.pub"
        return controller.from_card(read_public_key(public), args.reader, _say)
    key = args.key or chain.folder / "safe" / "controller.key"
    if not key.exists():
        raise ConfigError(
            f"{key} is not there; it lies in the safe: give --key FILE, or --card"
        )
    return controller.from_file(key)


def _put(chain: Chain, site: str, made: Sequence[Signed]) -> Path:
    """Copies for people: to carry by hand, and to hang at the door."""
    folder = chain.folder / "policies" / site
    make_folder(folder)
    for each in made:
        put(folder / f"{each.device}.json", each.document)
        put(folder / f"{each.device}.sign.txt", notice_text(each.policy).encode())
    return folder


def _newest(session: Session, site: str) -> dict[str, Signed]:
    """What was last signed, by camera; ConfigError if nothing was."""
    found = {}
    for name in signed.members_of(session, site):
        row = signed.newest(session, site, name)
        if row is None:
            _say(f"  {name}: nothing was signed; doorsill-fleet policy edit {site}")
            continue
        found[name] = Signed(name, signed.policy_of(row), row.document.encode())
    if not found:
        raise ConfigError(
            f"nothing was signed for {site}: doorsill-fleet policy sign {site}"
        )
    return found


def _note(folder: Path, answers: Answers, column: str, names: Sequence[str]) -> None:
    """Note in the register that these cameras' documents are pushed, or in force."""
    now = int(datetime.now(UTC).timestamp())
    with opened(folder) as (_, session):
        for name in names:
            version = answers.wanted[name].policy.version
            row = session.get(PolicyRow, (answers.site, name, version))
            if row is not None:
                setattr(row, column, now)


def _versions(answers: Answers) -> str:
    found = {each.policy.version for each in answers.wanted.values()}
    return ", ".join(str(each) for each in sorted(found))


def _sites(session: Session, site: str | None) -> list[str]:
    if site is not None:
        return [require_site(session, site).name]
    return sorted(each.name for each in session.query(Site))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
