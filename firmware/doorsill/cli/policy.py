"""``doorsill policy``: make, sign, show, compare and apply a policy, without a fleet.

A draft is TOML, made to be edited; signed, it is canonical JSON that nobody edits.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, TypeVar

from doorsill.cli.policy_key import signer_of
from doorsill.config import Config, load_config
from doorsill.documents import canonical
from doorsill.documents.durable import put
from doorsill.documents.files import require_new
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import parse_toml, read_file, read_if_there
from doorsill.documents.recognise import what_is
from doorsill.errors import ConfigError, DoorsillError
from doorsill.policy import acceptance, document
from doorsill.policy.arrival import decide
from doorsill.policy.draft import (
    NOBODY,
    draft_text,
    first_body,
    lines_of,
    preview,
    staff_zones_of,
)
from doorsill.policy.file import is_signed, read_signed, read_unverified
from doorsill.policy.notice import notice_text
from doorsill.policy.sketch import sketch
from doorsill.policy.store import PolicyStore, read_public_key
from doorsill.policy.time_zones import require_lasting_zone
from doorsill.policy.words import differences, summary
from doorsill.services.policies import store_of

T = TypeVar("T")


def new_draft(args: argparse.Namespace) -> int:
    """Write a draft that is valid except for the controller, and print its sign.

    The sign is a file only once it is signed: one of a draft would soon be wrong.
    """
    require_new(args.draft)
    text = draft_text(_body_of(args))
    found = preview(parse_toml(text.encode()))
    put(args.draft, text.encode())
    _say(f"wrote {args.draft}; the sign for the door will be:\n")
    _say(notice_text(found))
    if found.controller == NOBODY:
        _say("before it can be signed: put name and address in as controller")
    return 0


def _body_of(args: argparse.Namespace) -> dict[str, Any]:
    """The draft: the policy before it or the smallest one, changed by the options."""
    if args.before is not None:
        body = read_unverified(args.before, dict)
        body["version"] = _preview(args.before).version + 1
    elif args.site is None:
        raise ConfigError("give --site NAME, or --from the policy before this one")
    else:
        body = first_body(args.site)
    for name in ("site", "purpose", "controller", "timezone", "version"):
        if getattr(args, name) is not None:
            body[name] = getattr(args, name)
    if args.device:
        body["devices"] = args.device
    if args.line:
        body["lines"] = lines_of(args.line)
    if args.staff:
        kept = [zone for zone in body.get("zones", []) if zone["kind"] == "count"]
        body["zones"] = kept + staff_zones_of(args.staff)
    if args.notice:
        body |= {"notice": args.notice, "attributes": True}
    return body


def sign_draft(args: argparse.Namespace) -> int:
    """Sign a draft that is valid; no file is overwritten without --force."""
    data = read_file(args.draft)
    if is_signed(data):
        raise ConfigError(
            f"{args.draft} is signed already; `doorsill policy new --from` makes a "
            "draft of it"
        )
    try:
        body = parse_toml(data)
        found = document.parse(body)
        require_lasting_zone(found)
    except ConfigError as error:
        raise error.of(args.draft) from None
    sign = args.out.with_suffix(".sign.txt")
    _require_room(args, found.version)
    put(args.out, canonical.seal_by(body, signer_of(args, _say)))
    put(sign, notice_text(found).encode())
    _say(f"signed {args.out}: version {found.version}, SHA-256 {found.digest}")
    _say(f"the sign for the door: {sign}")
    return 0


def _require_room(args: argparse.Namespace, version: int) -> None:
    """ConfigError if a file would be overwritten, or by a version that is not newer."""
    sign = args.out.with_suffix(".sign.txt")
    for path in (args.out, sign):
        if path.exists() and path.samefile(args.draft):
            raise ConfigError(f"{path} is the draft itself; give another name as --out")
    for path in (args.out, sign):
        require_new(path, force=args.force)
    if args.out.exists():
        if not is_signed(read_file(args.out)):
            raise ConfigError(f"{args.out} is no signed policy; give another name")
        before = _preview(args.out).version
        if version <= before:
            raise ConfigError(
                f"{args.draft}: policy.version = {version}; {args.out} has {before}, "
                f"so the next is {before + 1}"
            )


def show_policy(args: argparse.Namespace) -> int:
    """Show what a policy says, and that its signature was not checked."""
    found = _preview(args.file)
    if not args.sign:
        _say(summary(found))
        _say(sketch(found))
        _say("the signature was not checked; `doorsill policy check` does that\n")
    _say(notice_text(found))
    return 0


def show_differences(args: argparse.Namespace) -> int:
    """Print one sentence for each difference; signatures are not checked."""
    old, new = _preview(args.old), _preview(args.new)
    found = differences(old, new)
    _say(f"{args.old} -> {args.new}:")
    for each in found or ["they say the same"]:
        _say(f"  {each}")
    if new.version <= old.version:
        _say(f"  a device that has version {old.version} will not take {new.version}")
    return 0


def check_policy(args: argparse.Namespace) -> int:
    """Say that the policy is right, or raise what is wrong."""
    if args.controller is None:
        found = read_unverified(args.file, document.parse)
        _say(f"{args.file} is complete; its signature was not checked")
    else:
        found = _acceptable(args)
        _say(f"{args.file} is signed by {args.controller} and can be applied")
        if args.site is None or args.device is None:
            _say("whether it is for a device was not checked: give --site and --device")
    _say(summary(found))
    return 0


def _acceptable(args: argparse.Namespace) -> document.Policy:
    key, data = read_public_key(args.controller), read_signed(args.file)
    current = read_signed(args.current) if args.current else None
    if current is not None:
        _require_whole(args.current, current)
    try:
        found = acceptance.verify(data, key)
        device = args.device or (found.devices or ("",))[0]
        place = document.Place(args.site or found.site, device)
        return acceptance.accept(current, data, key, place, time.time())
    except DoorsillError as error:
        raise error.of(args.file) from None


def _require_whole(path: Path, data: bytes) -> None:
    """Check that the file named as the policy in force is a policy."""
    try:
        document.parse(canonical.split(data)[0])
    except DoorsillError as error:
        raise error.of(path) from None


def apply_policy(args: argparse.Namespace) -> int:
    """Put a policy in force; if this raises, the present one stays in force."""
    if args.config is not None:
        config = load_config(args.config)
        make_folder(config.policy_in_force.parent)
        store = store_of(config)
    elif args.file and args.controller and args.to and args.site and args.device:
        place = document.Place(args.site, args.device)
        _require_policy(args.to)
        store = PolicyStore(args.to, read_public_key(args.controller), place)
    else:
        raise ConfigError(
            "give --config FILE, or FILE with --controller, --to, --site and --device"
        )
    if args.file is None:  # as the systemd units do at their start
        found = _renew(store, config)
    else:
        data = read_signed(args.file)
        try:
            found = store.apply(data)
        except DoorsillError as error:
            raise error.of(args.file) from None
    _say(f"in force: version {found.version}, SHA-256 {found.digest}")
    return 0


def _renew(store: PolicyStore, config: Config) -> document.Policy:
    """Put the newest in force, of the configured file and of what came by air."""
    wrong: DoorsillError | None = None
    try:
        store.take_over(config.policy.file)
    except DoorsillError as error:
        wrong = error
    decide(store, config.arrived, config.verdict, time.time())
    try:
        return store.load()
    except DoorsillError as error:
        raise wrong or error from None


def _require_policy(path: Path) -> None:
    """ConfigError if the named file is neither a policy, nor empty, nor new."""
    data = read_if_there(path) or b""
    if data.strip(b"\0").strip() and not is_signed(data):
        raise ConfigError(f"{path} is {what_is(data)}, no policy; give another --to")


def _preview(path: Path) -> document.Policy:
    return read_unverified(path, preview)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
