"""``doorsill policy key``, and the key that ``policy sign`` signs with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from cryptography.hazmat.primitives import serialization

from doorsill.documents import pem
from doorsill.documents.canonical import PublicKey, SignBytes
from doorsill.documents.durable import put
from doorsill.errors import ConfigError
from doorsill.office import controller
from doorsill.policy.store import read_public_key


def signer_of(args: argparse.Namespace, say: Callable[[str], None]) -> SignBytes:
    """The signing function: of the card in the reader, or of the key in the file."""
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
        public = pem.create_key(args.file, words).public_key()
        _say(f"wrote {args.file} (keep it offline) and {public_path} (for the devices)")
        if not args.passphrase:
            _say("anybody with the file can sign; --passphrase or --card protect it")
    written = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    put(public_path, written)
    return 0


def _on_card(args: argparse.Namespace) -> PublicKey:
    if args.passphrase:
        raise ConfigError("a card has a PIN; leave --passphrase away")
    key = controller.management_key(args.management_key)
    return controller.make_on_card(args.reader, key, _say, overwrite=args.overwrite)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
