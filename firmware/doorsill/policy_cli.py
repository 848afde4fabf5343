"""``doorsill policy``: make, sign, show, compare and apply a policy, without a fleet.

A draft is TOML, made to be edited; signed, it is canonical JSON that nobody edits.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, TypeVar

from doorsill import canonical, policy
from doorsill.config import load_config
from doorsill.device.policy_store import (
    PolicyStore,
    read_public_key,
    replace,
    store_of,
)
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.notice import notice_text
from doorsill.policy_draft import (
    NOBODY,
    draft_text,
    first_body,
    lines_of,
    preview,
    staff_zones_of,
)
from doorsill.policy_file import is_signed, read_unverified
from doorsill.policy_key_cli import add_key, add_signing, signer_of
from doorsill.policy_sketch import sketch
from doorsill.policy_words import differences, summary
from doorsill.policy_zones import require_lasting_zone
from doorsill.reading import parse_toml, read_file

T = TypeVar("T")
EPILOG = """\
examples:
  doorsill policy key controller.key --passphrase       once: the controller's key
  doorsill policy new policy.toml --site porto-1 --line 0,0.5,1,0.5 \\
      --controller "Example Stores, 1 High Street, Porto"
  doorsill policy show policy.toml                      look where the line lies
  doorsill policy sign policy.toml --key controller.key --out policy.json
  doorsill policy check policy.json --controller controller.key.pub
  doorsill policy apply --config /etc/doorsill/doorsill.toml

the next version:
  doorsill policy new next.toml --from policy.json      and edit it
  doorsill policy sign next.toml --key controller.key --out policy-2.json
  doorsill policy diff policy.json policy-2.json

A device applies only a policy that is signed by its controller, is for its site and
for it, and is newer than the one in force. No policy can go below the floors: k of at
least 10 crossings, and at most 2.0 of epsilon a day.
"""
NEW = """\
examples:
  doorsill policy new policy.toml --site porto-1 --line 0,0.5,1,0.5
  doorsill policy new policy.toml --site porto-1 --device cam-01 \\
      --line 0,0.5,0.4,0.5 --line 0.6,0.5,1,0.5         two doors: door-1 and door-2
  doorsill policy new policy.toml --site porto-1 --staff 0.8,0,1,0,1,0.4
  doorsill policy new next.toml --from policy.json --purpose "count for the fire code"

X goes to the right and Y down, as parts of the picture. IN is from the left of the
line to its right, as you walk from its first point to its last: 0,0.5,1,0.5 counts who
comes down the picture as IN, and 1,0.5,0,0.5 who goes up.
"""
SIGN = """\
examples:
  doorsill policy sign policy.toml --key controller.key --out policy.json
  doorsill policy sign policy.toml --card --key controller.key.pub --out policy.json
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    parser = _parser(
        subparsers, "policy", "make, sign, show, compare and apply a policy", EPILOG
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_new(actions)
    add_key(actions)
    sign = _parser(actions, "sign", "sign a draft", SIGN)
    sign.add_argument("draft", type=Path)
    add_signing(sign)
    sign.add_argument("--out", type=Path, required=True, help="the signed policy")
    sign.add_argument("--force", action="store_true", help="replace an older policy")
    sign.set_defaults(func=sign_draft)
    show = actions.add_parser("show", help="show a policy, signed or draft, unverified")
    show.add_argument("file", type=Path)
    show.add_argument("--sign", action="store_true", help="the sign for the door only")
    show.set_defaults(func=show_policy)
    diff = actions.add_parser("diff", help="say in what two policies differ")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)
    diff.set_defaults(func=show_differences)
    _add_checks(actions)


def _parser(
    actions: argparse._SubParsersAction[Any], name: str, words: str, examples: str
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(
        name,
        help=words,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _add_new(actions: argparse._SubParsersAction[Any]) -> None:
    new = _parser(actions, "new", "write a draft, and print the sign for the door", NEW)
    new.add_argument("draft", type=Path, metavar="DRAFT.toml", help="to be written")
    new.add_argument(
        "--from", dest="before", type=Path, metavar="FILE", help="the policy before it"
    )
    new.add_argument("--site", help="a-z, 0-9 and -, at most 16")
    for name, metavar, words in (
        ("--device", "ID", "that it is for (default: every device of the site)"),
        ("--line", "X0,Y0,X1,Y1", "where people cross (default: 0,0.5,1,0.5)"),
        ("--staff", "X0,Y0,...", "where staff stand or walk; nobody is counted there"),
    ):
        words += "; may be given several times"
        new.add_argument(name, action="append", metavar=metavar, help=words)
    new.add_argument("--purpose", metavar="TEXT", help="why people are counted")
    new.add_argument(
        "--controller", metavar="TEXT", help="who answers, with an address"
    )
    new.add_argument("--timezone", metavar="NAME", help="such as Europe/Lisbon")
    new.add_argument(
        "--version", type=int, metavar="N", help="default: 1, or the next after --from"
    )
    new.add_argument(
        "--notice", metavar="ID", help="of the sign; switches the attributes on"
    )
    new.set_defaults(func=new_draft)


def _add_checks(actions: argparse._SubParsersAction[Any]) -> None:
    check = actions.add_parser("check", help="say all that is wrong with a policy")
    check.add_argument("file", type=Path)
    check.add_argument("--controller", type=Path, help="the controller's public key")
    check.add_argument("--current", type=Path, help="the policy in force, if any")
    check.add_argument("--site", help="of the device that it is for")
    check.add_argument("--device", help="that it is for")
    check.set_defaults(func=check_policy)
    apply = actions.add_parser("apply", help="put a policy in force on this device")
    apply.add_argument(
        "file", type=Path, nargs="?", help="default: policy.file, where it is newer"
    )
    apply.add_argument("--config", type=Path, help="this device's configuration")
    apply.add_argument("--controller", type=Path, help="without --config: whose key")
    apply.add_argument("--to", type=Path, help="without --config: the file in force")
    apply.add_argument("--site", help="without --config: of this device")
    apply.add_argument("--device", help="without --config: the name of this device")
    apply.set_defaults(func=apply_policy)


def new_draft(args: argparse.Namespace) -> int:
    """Write a draft that is valid but for the controller, and print its sign.

    The sign is a file only once it is signed: one of a draft would soon be wrong.
    """
    if args.draft.exists():
        raise ConfigError(f"{args.draft} exists; give another name")
    text = draft_text(_body_of(args))
    found = preview(parse_toml(text.encode()))
    replace(args.draft, text.encode())
    _say(f"wrote {args.draft}; the sign for the door will be:\n")
    _say(notice_text(found))
    if found.controller == NOBODY:
        _say("before it can be signed: put name and address in as controller")
    return 0


def _body_of(args: argparse.Namespace) -> dict[str, Any]:
    """What the draft says: the policy before it, or the least, and the options."""
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
    """Sign a draft that parses; nothing else can be signed, and nothing is lost."""
    data = read_file(args.draft)
    if is_signed(data):
        raise ConfigError(
            f"{args.draft} is signed already; `doorsill policy new --from` makes a "
            "draft of it"
        )
    try:
        body = parse_toml(data)
        found = policy.parse(body)
        require_lasting_zone(found)
    except ConfigError as error:
        raise error.of(args.draft) from None
    sign = args.out.with_suffix(".sign.txt")
    _require_room(args, found.version)
    replace(args.out, canonical.seal_by(body, signer_of(args, _say)))
    replace(sign, notice_text(found).encode())
    _say(f"signed {args.out}: version {found.version}, SHA-256 {found.digest}")
    _say(f"the sign for the door: {sign}")
    return 0


def _require_room(args: argparse.Namespace, version: int) -> None:
    """Raises where a file would be lost; an older policy goes with --force alone."""
    sign = args.out.with_suffix(".sign.txt")
    for path in (args.out, sign):
        if path.exists() and path.samefile(args.draft):
            raise ConfigError(f"{path} is the draft itself; give another name as --out")
    if not args.force:
        for path in (args.out, sign):
            if path.exists():
                raise ConfigError(f"{path} exists; give another name, or --force")
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
    """Show what a policy says; without a verified signature, and says so."""
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
    told = differences(old, new)
    _say(f"{args.old} -> {args.new}:")
    for each in told or ["they say the same"]:
        _say(f"  {each}")
    if new.version <= old.version:
        _say(f"  a device that has version {old.version} will not take {new.version}")
    return 0


def check_policy(args: argparse.Namespace) -> int:
    """Raise what is wrong, or say what is right."""
    if args.controller is None:
        found = read_unverified(args.file, policy.parse)
        _say(f"{args.file} is complete; its signature was not checked")
    else:
        found = _acceptable(args)
        _say(f"{args.file} is signed by {args.controller} and can be applied")
        if args.site is None or args.device is None:
            _say("whether it is for a device was not checked: give --site and --device")
    _say(summary(found))
    return 0


def _acceptable(args: argparse.Namespace) -> policy.Policy:
    key, data = read_public_key(args.controller), _signed(args.file)
    current = _signed(args.current) if args.current else None
    try:
        found = policy.verify(data, key)
        device = args.device or (found.devices or ("",))[0]
        place = policy.Place(args.site or found.site, device)
        return policy.accept(current, data, key, place)
    except DoorsillError as error:
        raise error.of(args.file) from None


def apply_policy(args: argparse.Namespace) -> int:
    """Put a policy in force; the one in force stays where this raises."""
    if args.config is not None:
        config = load_config(args.config)
        config.policy_in_force.parent.mkdir(parents=True, exist_ok=True)
        store = store_of(config)
    elif args.file and args.controller and args.to and args.site and args.device:
        place = policy.Place(args.site, args.device)
        store = PolicyStore(args.to, read_public_key(args.controller), place)
    else:
        raise ConfigError(
            "give --config FILE, or FILE with --controller, --to, --site and --device"
        )
    if args.file is None:  # as the units do at the start
        found = store.take_over(config.policy.file)
    else:
        data = _signed(args.file)
        try:
            found = store.apply(data)
        except DoorsillError as error:
            raise error.of(args.file) from None
    _say(f"in force: version {found.version}, SHA-256 {found.digest}")
    return 0


def _preview(path: Path) -> policy.Policy:
    return read_unverified(path, preview)


def _signed(path: Path) -> bytes:
    """A signed policy; a draft is named as what it is."""
    data = read_file(path)
    if not is_signed(data) and _is_toml(data):
        raise UntrustedError(
            f"{path} is a draft; sign it first: "
            f"doorsill policy sign {path} --key controller.key --out policy.json"
        )
    return data


def _is_toml(data: bytes) -> bool:
    try:
        return bool(parse_toml(data))
    except ConfigError:
        return False


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
