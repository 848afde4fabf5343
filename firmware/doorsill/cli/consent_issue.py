"""``doorsill consent ca`` and ``issue``: make the consent CA, and consent cards."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from doorsill.cli.say import describe_card, say
from doorsill.consent.trust import ConsentCertificate
from doorsill.documents import pem
from doorsill.documents.durable import put
from doorsill.documents.folders import make_folder
from doorsill.drivers.token.piv import PivToken
from doorsill.drivers.token.piv_card import FACTORY_MANAGEMENT_KEY, PivCard
from doorsill.errors import ConfigError, UntrustedError
from doorsill.office import cards
from doorsill.office.card_key import CardKey
from doorsill.office.cards import Grant
from doorsill.office.controller import from_card, secret
from doorsill.office.piv import Office, holder_before, make, with_one_card
from doorsill.policy.store import read_public_key

KEY_NAME, CA_NAME = "consent-ca.key", "consent-ca.pem"
PUBLIC_NAME = f"{KEY_NAME}.pub"  # where the private half is on a card


def make_ca(args: argparse.Namespace) -> int:
    """Make the consent CA; its key is never overwritten."""
    make_folder(args.folder, 0o700)
    key_path, ca_path = args.folder / KEY_NAME, args.folder / CA_NAME
    if ca_path.exists():
        raise ConfigError(f"{ca_path} exists; a CA is never overwritten")
    now = _now()
    cards.require_authority(args.controller, args.days)
    key = pem.create_key(key_path)
    office = Office(cards.authority(key, args.controller, now, args.days), key)
    put(ca_path, office.ca.public_bytes(serialization.Encoding.PEM))
    say(f"wrote {key_path} (keep it offline) and {ca_path} (for the devices)")
    say(f'for the policy: ca = "{office.pin}"')
    return 0


def issue_card(args: argparse.Namespace) -> int:
    """Make the card in the reader, or enrol the FIDO2 key, and prove that it works."""
    office = read_office(args.ca, args.ca_reader)
    grant = Grant(args.holder, args.site, args.purpose, _begins(args.begins), args.days)
    cards.require_within(office.ca, grant)
    if args.fido2:
        from doorsill.office.fido import enrol_key

        found = enrol_key(office, grant, args.fido2, say, ask_pin=_ask_pin)
    else:
        management_key = _management_key(args.management_key)

        def work(card: PivCard) -> ConsentCertificate:
            before = holder_before(card)
            if before is not None and not args.overwrite:
                raise ConfigError(
                    f"the card was made for {before} before; --overwrite replaces it"
                )
            say("making the card; leave it in ...")
            return make(card, office, grant, management_key, _now())

        token = PivToken(args.reader)
        try:
            found = with_one_card(token, work, args.wait, say)
        finally:
            token.close()
        _warn_factory(management_key)
    say(f"done: {describe_card(found)}")
    say(f"serial number, should the card be taken back: {found.serial:x}")
    return 0


def read_office(folder: Path, reader: str = "") -> Office:
    """The consent CA in ``folder``; ConfigError if a part of it is missing.

    Its key may be on a PIV card, in ``reader``; that card then signs once, as a proof.
    """
    path = folder / KEY_NAME
    key = _card_key(folder, reader) or pem.read_key(
        path, lambda: secret(f"passphrase of {path}: ").encode()
    )
    ca = pem.read_certificate(folder / CA_NAME)
    if ca.public_key() != key.public_key():
        raise ConfigError(f"{folder / KEY_NAME} is not the key of {CA_NAME} beside it")
    return Office(ca, key)


def _card_key(folder: Path, reader: str) -> CardKey | None:
    """The key whose public half alone is in ``folder``, or None."""
    public = folder / PUBLIC_NAME
    if (folder / KEY_NAME).exists() or not public.exists():
        return None
    found = read_public_key(public)
    key = CardKey(found, from_card(found, reader, say, "the consent CA's"))
    key.prove()
    return key


def _management_key(path: Path | None) -> bytes:
    if path is None:
        return FACTORY_MANAGEMENT_KEY
    try:
        return bytes.fromhex(pem.read_private(path).decode("ascii"))
    except ValueError:
        raise ConfigError(f"{path} is not a key in hexadecimal") from None


def _warn_factory(key: bytes) -> None:
    if key == FACTORY_MANAGEMENT_KEY:
        say(
            "the card still has the factory's management key: anybody who holds the "
            "card can write to it. Change it, and the PIN, with the maker's tool"
        )


def _begins(day: datetime | None) -> float:
    if day is None:
        return _now() - 60.0  # a device's clock may be a little behind
    return day.timestamp()


def _ask_pin() -> str:
    if not sys.stdin.isatty():
        raise UntrustedError("the FIDO2 key wants its PIN; run this in a terminal")
    return getpass.getpass("PIN of the FIDO2 key: ")


def _now() -> float:
    return datetime.now(UTC).timestamp()
