"""``doorsill consent status`` and ``watch``: what a card in the reader opens."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from doorsill.cli.consent_issue import CA_NAME
from doorsill.cli.say import describe_card, say
from doorsill.config import load_config
from doorsill.consent import trust
from doorsill.consent.events import Action, Closed, Inserted, Opened, Refused
from doorsill.consent.reasons import WORDS
from doorsill.consent.token import Token
from doorsill.documents import pem
from doorsill.drivers.token.pcsc import readers
from doorsill.drivers.token.piv import PivToken
from doorsill.drivers.token.piv_card import PRESENCE
from doorsill.errors import ConfigError
from doorsill.office import cards
from doorsill.office.piv import with_one_card
from doorsill.services import vault_cards, vault_opening
from doorsill.services.policies import store_of
from doorsill.services.vault_hardware import open_token
from doorsill.vault.gate_runner import Watch
from doorsill.vault.surroundings import boot_id
from doorsill.vault.token_threads import Attendant


def show_readers(args: argparse.Namespace) -> int:
    """Print the name of each reader, for ``consent.reader``."""
    found = readers()
    if not found:
        raise ConfigError("there is no card reader; plug one in")
    for name in found:
        say(name)
    return 0


def show_status(args: argparse.Namespace) -> int:
    """Say whose card is in the reader and whether it opens this site's vault."""
    judge, _ = _judge_for(args)  # before the card, so that errors come at once
    token = PivToken(args.reader)
    try:
        der = with_one_card(
            token, lambda card: card.certificate(PRESENCE), args.wait, lambda _: None
        )
        found = judge(der, token.sealing_certificate()).card
    finally:
        token.close()
    say(f"this card opens the vault: {describe_card(found)}")
    return 0


def watch_card(args: argparse.Namespace) -> int:
    """Print each change until interrupted; nothing is sealed here."""
    judge, binding = _judge_for(args)
    token: Token
    if args.ca is None:
        token = open_token(vault_opening.consent_of(load_config(args.config)))
    else:
        token = PivToken(args.reader)
    attendant = Attendant(token, judge)
    attendant.start()
    watch = Watch(attendant, binding, vault_cards.now)
    ends = time.monotonic() + args.seconds
    _line("BLANK", "waiting for a card; Ctrl-C ends this")
    try:
        while time.monotonic() < ends:
            for action in watch.turn(0.25):
                _show(action)
    finally:
        attendant.close()
    return 0


def _judge_for(args: argparse.Namespace) -> tuple[Any, Any]:
    """The function that judges a card, and what its answers are bound to."""
    if args.ca is None:
        config = load_config(args.config)
        rules = vault_cards.PolicyInForce(store_of(config).load())
        ca = pem.read_certificate(vault_opening.consent_of(config).ca)
        der = ca.public_bytes(serialization.Encoding.DER)
        bound = vault_cards.binding_of(config, rules)
        return (
            lambda card, sealing: vault_cards.judge_card(rules, der, card, sealing)
        ), bound
    if not args.site or not args.purpose:
        raise ConfigError("--ca needs --site and --purpose as well")
    ca = pem.read_certificate(args.ca / CA_NAME)
    return _by_hand(ca, args.site, args.purpose)


def _by_hand(ca: x509.Certificate, site: str, purpose: str) -> tuple[Any, Any]:
    from doorsill.consent.challenge import Binding

    der = cards.der(ca)
    pin = trust.fingerprint(der)

    def judge(card: bytes, sealing: bytes) -> Inserted:
        authority = trust.authority(der, pin, (), _now())
        found = trust.verify(card, authority, site, [purpose], _now())
        return Inserted(found, pin)

    return judge, Binding("this-machine", boot_id(), pin, site, 3600.0)


def _show(action: Action) -> None:
    if isinstance(action, Opened):
        _line("OPEN", describe_card(action.lease.card))
    elif isinstance(action, Closed):
        _line("BLANK", WORDS[action.reason])
    elif isinstance(action, Refused):
        _line("BLANK", f"not opened: {WORDS[action.reason]}")


def _line(state: str, words: str) -> None:
    say(f"{datetime.now(UTC):%H:%M:%S}  {state:5}  {words}")


def _now() -> float:
    return datetime.now(UTC).timestamp()
