"""The controller's key, which signs policies: in a file, or on a PIV card.

    file  a private key in PEM, mode 0600, with a passphrase or without
    card  slot 9C; the private half never leaves it, and each signature needs the PIN

The holder of this key decides what every device of the site may do.
"""

from __future__ import annotations

import getpass
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cryptography.exceptions import InvalidSignature

from doorsill.documents import pem
from doorsill.documents.canonical import ES256, PublicKey, SignBytes
from doorsill.errors import ConfigError, UntrustedError

if TYPE_CHECKING:
    from doorsill.drivers.token.piv_card import PivCard

CARD_WAIT_S = 30.0  # for a person to put the card in
PASSPHRASE_LEAST = 8  # characters

T = TypeVar("T")
Say = Callable[[str], None]


def from_file(path: Path) -> SignBytes:
    """Signs with the key in ``path``; asks for its passphrase, if it has one."""
    key = pem.read_key(path, lambda: secret(f"passphrase of {path}: ").encode())
    return lambda data: key.sign(data, ES256)


def from_card(
    public: PublicKey, reader: str, say: Say, whose: str = "this controller's"
) -> SignBytes:
    """Signs with the card that holds the private half of ``public``.

    Its PIN is asked for once, however many documents are signed. ``whose`` it is, in
    words for a person.
    """
    asked: list[str] = []

    def sign_bytes(data: bytes) -> bytes:
        if not asked:
            asked.append(secret(f"PIN of {whose} card: "))
        pin = asked[0]
        signature = _with_card(
            reader, say, lambda card: _sign(card, pin, data), "nothing was signed"
        )
        try:
            public.verify(signature, data, ES256)
        except InvalidSignature:
            raise UntrustedError(
                f"the card in the reader is not {whose}: it has another key"
            ) from None
        return signature

    return sign_bytes


def make_on_card(
    reader: str, management_key: bytes, say: Say, *, overwrite: bool = False
) -> PublicKey:
    """Make the controller's key in slot 9C; ConfigError if one is there already."""
    pin = secret("PIN of the card: ")

    def make(card: PivCard) -> PublicKey:
        from doorsill.drivers.token.piv_card import SIGNATURE

        if not overwrite and _has_key(card, pin):
            raise ConfigError(
                "the card has a key in slot 9C; --overwrite makes another, and no "
                "policy can be signed with the old one any more"
            )
        card.authenticate(management_key)
        return card.generate(SIGNATURE)

    return _with_card(reader, say, make, "its key is not to be used")


def management_key(path: Path | None) -> bytes:
    """The card's 9B key, in hexadecimal in a file; the factory's without a file."""
    from doorsill.drivers.token.piv_card import FACTORY_MANAGEMENT_KEY

    if path is None:
        return FACTORY_MANAGEMENT_KEY
    try:
        return bytes.fromhex(pem.read_private(path).decode("ascii"))
    except ValueError:
        raise ConfigError(f"{path} is not a key in hexadecimal") from None


def new_passphrase() -> bytes:
    """What a person types twice."""
    found = secret("new passphrase: ")
    if len(found) < PASSPHRASE_LEAST:
        raise ConfigError(f"a passphrase has {PASSPHRASE_LEAST} characters or more")
    if secret("the same again: ") != found:
        raise ConfigError("the two are not the same")
    return found.encode()


def secret(prompt: str) -> str:
    """A secret that a person types without echo; ConfigError without a terminal."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{prompt.rstrip(': ')} is wanted; run this in a terminal")
    return getpass.getpass(prompt)


def _sign(card: PivCard, pin: str, data: bytes) -> bytes:
    from doorsill.drivers.token.piv_card import SIGNATURE

    card.verify_pin(pin)
    return card.sign(hashlib.sha256(data).digest(), SIGNATURE)


def _has_key(card: PivCard, pin: str) -> bool:
    """Whether slot 9C signs: a card without a certificate there may have a key."""
    from doorsill.consent.token import TokenError
    from doorsill.drivers.token.piv_card import SIGNATURE

    card.verify_pin(pin)
    try:
        card.sign(bytes(32), SIGNATURE)
    except TokenError:
        return False
    return True


def _with_card(
    reader: str, say: Say, work: Callable[[PivCard], T], if_pulled: str
) -> T:
    """With the one card in the readers whose names hold ``reader``."""
    from doorsill.drivers.token.piv import PivToken
    from doorsill.office.piv import with_one_card

    token = PivToken(reader)
    try:
        return with_one_card(token, work, CARD_WAIT_S, say, if_pulled)
    finally:
        token.close()
