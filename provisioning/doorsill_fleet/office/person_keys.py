"""The three keys that people hold: each in a file of the safe, or on a PIV card.

    file  safe/NAME.key, with a passphrase
    card  safe/NAME.key.pub; the private half was made on the card, and stays there

The holder of the root says who may sign; that of the consent CA, whose cards open a
vault; the controller, what each camera may do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from doorsill.documents import pem
from doorsill.documents.canonical import PrivateKey, PublicKey
from doorsill.documents.durable import put
from doorsill.errors import ConfigError
from doorsill.office.card_key import CardKey, read_public
from doorsill.office.controller import from_card

ROOT, CONSENT, CONTROLLER = "root", "consent-ca", "controller"
WHOSE = {
    ROOT: "the root's",
    CONSENT: "the consent CA's",
    CONTROLLER: "the controller's",
}

Ask = Callable[[str], bytes]  # the passphrase for a key of this name; empty: none


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """Where each of the three comes from."""

    ask: Ask  # of those in files
    cards: Mapping[str, CardKey] = field(default_factory=dict)

    def passphrases(self, names: Sequence[str]) -> dict[str, bytes]:
        """A new one for each of ``names`` that is no card's."""
        return {each: self.ask(each) for each in names if each not in self.cards}

    def take(self, name: str, safe: Path, words: Mapping[str, bytes]) -> PrivateKey:
        """The key called ``name``: new, in ``safe``, or that of its card.

        Raises ConfigError or UntrustedError where the card is not there, or another.
        """
        card = self.cards.get(name)
        if card is None:
            return pem.create_key(safe / f"{name}.key", words[name])
        card.prove()
        put(safe / f"{name}.key.pub", public_pem(card.public_key()))
        return card


def on_cards(
    given: Sequence[tuple[str, Path]], reader: str, say: Callable[[str], None]
) -> dict[str, CardKey]:
    """The keys on cards, by name, for NAME and the file with its public half.

    ConfigError for an unknown name, one that is there twice, or one key for two.
    """
    found: dict[str, CardKey] = {}
    for name, path in given:
        if name not in WHOSE:
            raise ConfigError(f"{name[:40]!r} is no key of these: {', '.join(WHOSE)}")
        if name in found:
            raise ConfigError(f"{name} is given twice; it is on one card")
        public = read_public(path)
        for other, card in found.items():
            if card.public_key() == public:
                raise ConfigError(
                    f"{other} and {name} are one key; each has a card of its own, as "
                    "who holds one may not hold the other"
                )
        found[name] = CardKey(public, from_card(public, reader, say, WHOSE[name]))
    return found


def public_pem(key: PublicKey) -> bytes:
    """A public key as PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
