"""``doorsill policy key``, and which key ``policy sign`` signs with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from doorsill import controller
from doorsill.canonical import PublicKey, SignBytes
from doorsill.device import identity
from doorsill.device.policy_store import read_public_key, replace
from doorsill.errors import ConfigError

KEY = """\
examples:
  doorsill policy key controller.key --passphrase      a file that wants a passphrase
  doorsill policy key controller.key --card            on a PIV card, and FILE.pub
"""


def add_key(actions: argparse._SubParsersAction[Any]) -> None:
    """Join ``doorsill policy key``."""
    key = actions.add_parser(
        "key",
        help="make a controller's key (FILE and FILE.pub)",
        epilog=KEY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    key.add_argument("file", type=Path)
    key.add_argument(
        "--passphrase", action="store_true", help="ask for one, and use it"
    )
    key.add_argument("--card", action="store_true", help="make it on the PIV card")
    key.add_argument("--reader", default="", help="part of the card reader's name")
    key.add_argument(
        "--management-key",
        type=Path,
        metavar="HEX",
        help="file with the card's 9B key in hexadecimal; the factory's if not given",
    )
    key.add_argument("--overwrite", action="store_true", help="the key on the card")
    key.set_defaults(func=make_key)


def add_signing(parser: argparse.ArgumentParser) -> None:
    """The options that say with which key."""
    parser.add_argument(
        "--key", type=Path, required=True, help="the controller's; FILE.pub with --card"
    )
    parser.add_argument("--card", action="store_true", help="sign with the PIV card")
    parser.add_argument("--reader", default="", help="part of the card reader's name")


def signer_of(args: argparse.Namespace, say: Callable[[str], None]) -> SignBytes:
    """Who signs: the card in the reader, or the key in the file."""
    if args.card:
        return controller.from_card(read_public_key(args.key), args.reader, say)
    return controller.from_file(args.key)


def make_key(args: argparse.Namespace) -> int:
    """Make the controller's key pair; the private one is never overwritten."""
    public_path = args.file.with_name(args.file.name + ".pub")
    if public_path.exists():
        raise ConfigError(f"{public_path} exists; a key is never overwritten")
    if args.card:
        public = _on_card(args)
        _say(f"the key is on the card; wrote {public_path} (for the devices)")
    else:
        words = controller.new_passphrase() if args.passphrase else b""
        public = identity.create_key(args.file, words).public_key()
        _say(f"wrote {args.file} (keep it offline) and {public_path} (for the devices)")
        if not args.passphrase:
            _say("whoever gets the file can sign; --passphrase or --card guard it")
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    replace(public_path, pem)
    return 0


def _on_card(args: argparse.Namespace) -> PublicKey:
    if args.passphrase:
        raise ConfigError("a card has a PIN; leave --passphrase away")
    key = controller.management_key(args.management_key)
    return controller.make_on_card(args.reader, key, _say, overwrite=args.overwrite)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
