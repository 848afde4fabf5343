"""``doorsill policy``: make, sign, show, check and apply a policy, without a fleet.

A draft is TOML, made to be edited; signed, it is canonical JSON that nobody edits.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from doorsill import canonical, policy
from doorsill.config import load_config
from doorsill.device import identity
from doorsill.device.policy_store import (
    PolicyStore,
    read_public_key,
    replace,
    store_of,
)
from doorsill.errors import ConfigError
from doorsill.notice import notice_text
from doorsill.policy_draft import CONTROLLER, draft_text

EPILOG = """\
examples:
  doorsill policy key controller.key                    once: the controller's key
  doorsill policy new policy.toml --site porto-1 --line 0,0.5,1,0.5
  doorsill policy sign policy.toml --key controller.key --out policy.json
  doorsill policy check policy.json --controller controller.key.pub
  doorsill policy show policy.json --sign
  doorsill policy apply policy.json --controller controller.key.pub \\
      --to /var/lib/doorsill/policy.json

The device applies only a policy that is signed by its controller and newer than the
one in force. No policy can go below the floors: k of at least 10, and at most 2.0 of
epsilon a day.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    parser = subparsers.add_parser(
        "policy",
        help="make, sign, show, check and apply a policy",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_new(actions)
    key = actions.add_parser("key", help="make a controller's key (FILE and FILE.pub)")
    key.add_argument("file", type=Path)
    key.set_defaults(func=make_key)
    sign = actions.add_parser("sign", help="sign a draft")
    sign.add_argument("draft", type=Path)
    sign.add_argument("--key", type=Path, required=True, help="the controller's key")
    sign.add_argument("--out", type=Path, required=True, help="the signed policy")
    sign.set_defaults(func=sign_draft)
    show = actions.add_parser("show", help="show a policy, signed or draft, unverified")
    show.add_argument("file", type=Path)
    show.add_argument("--sign", action="store_true", help="the sign for the door only")
    show.set_defaults(func=show_policy)
    _add_checks(actions)


def _add_new(actions: argparse._SubParsersAction[Any]) -> None:
    new = actions.add_parser("new", help="write a draft, and the sign for the door")
    new.add_argument("draft", type=Path, metavar="DRAFT.toml", help="to be written")
    for name, default, metavar, words in (
        ("--purpose", "count visitors per hour", "TEXT", "why people are counted"),
        ("--controller", CONTROLLER, "TEXT", "who is responsible, with an address"),
        ("--timezone", "UTC", "NAME", "such as Europe/Lisbon"),
        ("--line", "0,0.5,1,0.5", "X0,Y0,X1,Y1", "where people cross"),
    ):
        default_is = f"{words} (default: {default})"
        new.add_argument(name, default=default, metavar=metavar, help=default_is)
    new.add_argument("--site", required=True, help="a-z, 0-9 and -, at most 16")
    new.add_argument(
        "--version", type=int, default=1, metavar="N", help="above the last one's"
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
    apply.add_argument("file", type=Path, nargs="?")
    apply.add_argument("--controller", type=Path, help="the controller's public key")
    apply.add_argument("--to", type=Path, help="the file in force")
    apply.add_argument("--site", help="of this device")
    apply.add_argument("--device", help="the name of this device")
    apply.add_argument("--config", type=Path, help="a device's configuration instead")
    apply.set_defaults(func=apply_policy)


def make_key(args: argparse.Namespace) -> int:
    """Make the controller's key pair; the private one is never overwritten."""
    public = identity.create_key(args.file).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    replace(args.file.with_name(args.file.name + ".pub"), pem)
    _say(f"wrote {args.file} (keep it offline) and {args.file}.pub (for the devices)")
    return 0


def new_draft(args: argparse.Namespace) -> int:
    """Write a draft that is valid as it stands, and print the sign."""
    if args.draft.exists():
        raise ConfigError(f"{args.draft} exists; give another name")
    text = draft_text(
        version=args.version,
        site=args.site,
        purpose=args.purpose,
        controller=args.controller,
        timezone=args.timezone,
        line=args.line,
        notice=args.notice,
    )
    found = policy.parse(_toml(text.encode(), args.draft))
    replace(args.draft, text.encode())
    sign = args.draft.with_suffix(".sign.txt")
    replace(sign, notice_text(found).encode())
    _say(f"wrote {args.draft} and the sign for the door, {sign}:\n")
    _say(notice_text(found))
    _remind(found)
    return 0


def sign_draft(args: argparse.Namespace) -> int:
    """Sign a draft that parses; nothing else can be signed."""
    body = _toml(_read(args.draft), args.draft)
    found = policy.parse(body)
    replace(args.out, canonical.seal(body, identity.read_key(args.key)))
    sign = args.out.with_suffix(".sign.txt")
    replace(sign, notice_text(found).encode())
    _say(f"signed {args.out}: version {found.version}, SHA-256 {found.digest}")
    _say(f"the sign for the door: {sign}")
    _remind(found)
    return 0


def _remind(found: policy.Policy) -> None:
    """The sign of a draft that was never edited would name nobody."""
    if found.controller == CONTROLLER:
        _say("the sign names nobody yet: put name and address in as controller")


def show_policy(args: argparse.Namespace) -> int:
    """Show what a policy says; without a verified signature, and says so."""
    found = policy.parse(_body(args.file))
    if not args.sign:
        _say(_summary(found))
        _say("the signature was not checked; `doorsill policy check` does that\n")
    _say(notice_text(found))
    return 0


def check_policy(args: argparse.Namespace) -> int:
    """Raise what is wrong, or say what is right."""
    if args.controller is None:
        found = policy.parse(_body(args.file))
        _say(f"{args.file} is complete; its signature was not checked")
    else:
        key = read_public_key(args.controller)
        found = policy.verify(_read(args.file), key)
        place = policy.Place(args.site or found.site, args.device or "")
        current = _read(args.current) if args.current else None
        found = policy.accept(current, _read(args.file), key, place)
        _say(f"{args.file} is signed by {args.controller} and can be applied")
    _say(_summary(found))
    return 0


def apply_policy(args: argparse.Namespace) -> int:
    """Put a policy in force; the one in force stays where this raises."""
    if args.config is not None:
        config = load_config(args.config)
        config.policy_in_force.parent.mkdir(parents=True, exist_ok=True)
        found = store_of(config).take_over(config.policy.file)
    elif args.file and args.controller and args.to and args.site and args.device:
        place = policy.Place(args.site, args.device)
        store = PolicyStore(args.to, read_public_key(args.controller), place)
        found = store.apply(_read(args.file))
    else:
        raise ConfigError(
            "give --config FILE, or FILE with --controller, --to, --site and --device"
        )
    _say(f"in force: version {found.version}, SHA-256 {found.digest}")
    return 0


def _summary(found: policy.Policy) -> str:
    attributes = f"on, notice {found.notice}" if found.attributes else "off"
    consent = ", ".join(found.consent.purposes) if found.consent else "none"
    return (
        f"policy {found.version} for site {found.site}: {found.purpose}\n"
        f"  controller  {found.controller}\n"
        f"  attributes  {attributes}; k = {found.k}, "
        f"epsilon = {found.epsilon_per_day} a day\n"
        f"  consent     {consent}\n"
        f"  hours       {len(found.hours) or 'always open'} ({found.timezone})\n"
        f"  lines       {', '.join(line.id for line in found.lines) or 'none'}\n"
        f"  zones       {', '.join(zone.id for zone in found.zones) or 'none'}\n"
        f"  SHA-256     {found.digest}"
    )


def _body(path: Path) -> dict[str, Any]:
    data = _read(path)
    return canonical.split(data)[0] if data.startswith(b"{") else _toml(data, path)


def _toml(data: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
