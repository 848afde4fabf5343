"""``doorsill consent``: make consent cards, and see what a card in the reader opens."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from doorsill.config import load_config
from doorsill.consent import issuing, premises, service, trust
from doorsill.consent.attendant import Attendant
from doorsill.consent.gate import Action, Closed, Opened, Refused
from doorsill.consent.issue import Office, holder_before, make, with_one_card
from doorsill.consent.issuing import Grant
from doorsill.consent.reasons import WORDS
from doorsill.consent.surroundings import boot_id
from doorsill.consent.token import Token
from doorsill.consent.trust import ConsentCertificate
from doorsill.consent.watch import Watch
from doorsill.device import identity
from doorsill.device.policy_store import replace, store_of
from doorsill.drivers.piv import (
    FACTORY_MANAGEMENT_KEY,
    PRESENCE,
    PivCard,
    PivToken,
)
from doorsill.errors import ConfigError, UntrustedError

EPILOG = """\
examples:
  doorsill consent ca office --controller "Example Stores"   once: the CA for cards
  doorsill consent issue --ca office --holder Ana --site porto-1 --purpose validation
  doorsill consent status --site porto-1 --purpose validation --ca office
  doorsill consent watch --config /etc/doorsill/doorsill.toml

Any PIV card or key will do (slots 9E and 9D, P-256). Keys are made on the card and
never leave it. To take a card back, put its serial number into consent.revoked of the
policy, sign the policy and apply it.
"""
CONFIG = Path("/etc/doorsill/doorsill.toml")
KEY_NAME, CA_NAME = "consent-ca.key", "consent-ca.pem"


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command group to the command line."""
    parser = subparsers.add_parser(
        "consent",
        help="issue and watch consent cards",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    ca = actions.add_parser("ca", help="make the CA that signs cards; keep it offline")
    ca.add_argument("folder", type=Path)
    ca.add_argument("--controller", required=True, help="who is responsible")
    ca.add_argument("--days", type=int, default=1825)
    ca.set_defaults(func=make_ca)
    _add_issue(actions)
    _add_looks(actions)


def _add_issue(actions: argparse._SubParsersAction[Any]) -> None:
    issue = actions.add_parser("issue", help="make a card (or enrol a FIDO2 key)")
    issue.add_argument("--ca", type=Path, required=True, metavar="FOLDER")
    issue.add_argument("--holder", required=True, help="whose card it is")
    issue.add_argument("--site", required=True)
    issue.add_argument("--purpose", required=True, help="as the policy names it")
    issue.add_argument("--days", type=int, default=90, help="at most 365; 90")
    issue.add_argument("--begins", default="", metavar="YYYY-MM-DD", help="today")
    issue.add_argument("--reader", default="", help="part of the reader's name")
    issue.add_argument("--wait", type=float, default=30.0, help="seconds for the card")
    issue.add_argument(
        "--management-key",
        type=Path,
        metavar="FILE",
        help="the card's 9B key in hexadecimal; the factory's if not given",
    )
    issue.add_argument("--overwrite", action="store_true", help="replace what is there")
    issue.add_argument("--fido2", type=Path, metavar="FILE", help="enrol into FILE")
    issue.set_defaults(func=issue_card)


def _add_looks(actions: argparse._SubParsersAction[Any]) -> None:
    status = actions.add_parser("status", help="say what the card in the reader opens")
    watch = actions.add_parser("watch", help="follow the card as the vault would")
    for each in (status, watch):
        each.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
        each.add_argument("--ca", type=Path, metavar="FOLDER", help="without --config")
        each.add_argument("--site", default="")
        each.add_argument("--purpose", default="")
        each.add_argument("--reader", default="", help="part of the reader's name")
    status.add_argument("--wait", type=float, default=3.0, help="seconds for the card")
    status.set_defaults(func=show_status)
    watch.add_argument("--seconds", type=float, default=float("inf"))
    watch.set_defaults(func=watch_card)


def make_ca(args: argparse.Namespace) -> int:
    """Make the consent CA; its key is never overwritten."""
    args.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_path, ca_path = args.folder / KEY_NAME, args.folder / CA_NAME
    if ca_path.exists():
        raise ConfigError(f"{ca_path} exists; a CA is never overwritten")
    now = _now()
    issuing.require_authority(args.controller, args.days)
    key = identity.create_key(key_path)
    office = Office(issuing.authority(key, args.controller, now, args.days), key)
    replace(ca_path, office.ca.public_bytes(serialization.Encoding.PEM))
    _say(f"wrote {key_path} (keep it offline) and {ca_path} (for the devices)")
    _say(f'for the policy: ca = "{office.pin}"')
    return 0


def issue_card(args: argparse.Namespace) -> int:
    """Make the card in the reader, or enrol the FIDO2 key, and prove that it works."""
    office = read_office(args.ca)
    grant = Grant(args.holder, args.site, args.purpose, _begins(args.begins), args.days)
    issuing.require_within(office.ca, grant)
    if args.fido2:
        from doorsill.consent.issue_fido import enrol_key

        found = enrol_key(office, grant, args.fido2, _say, ask_pin=_ask_pin)
    else:
        management_key = _management_key(args.management_key)

        def work(card: PivCard) -> ConsentCertificate:
            before = holder_before(card)
            if before is not None and not args.overwrite:
                raise ConfigError(
                    f"the card was made for {before} before; --overwrite replaces it"
                )
            _say("making the card; leave it in ...")
            return make(card, office, grant, management_key, _now())

        token = PivToken(args.reader)
        try:
            found = with_one_card(token, work, args.wait, _say)
        finally:
            token.close()
        _warn_factory(management_key)
    _say(f"done: {_described(found)}")
    _say(f"serial number, should the card be taken back: {found.serial:x}")
    return 0


def show_status(args: argparse.Namespace) -> int:
    """Say whose card is in the reader and whether it opens this site's vault."""
    token = PivToken(args.reader)
    try:
        der = with_one_card(
            token, lambda card: card.certificate(PRESENCE), args.wait, lambda _: None
        )
        judge, _ = _judged_by(args)
        found = judge(der, token.sealing_certificate())
    finally:
        token.close()
    _say(f"this card opens the vault: {_described(found)}")
    return 0


def watch_card(args: argparse.Namespace) -> int:
    """Print each change until interrupted; nothing is sealed here."""
    judge, binding = _judged_by(args)
    token: Token
    if args.ca is None:
        token = service.open_token(premises.consent_of(load_config(args.config)))
    else:
        token = PivToken(args.reader)
    attendant = Attendant(token, judge)
    attendant.start()
    watch, ends = (
        Watch(attendant, binding, service.now),
        time.monotonic() + args.seconds,
    )
    _line("BLANK", "waiting for a card; Ctrl-C ends this")
    try:
        while time.monotonic() < ends:
            for action in watch.turn(0.25):
                _show(action)
    finally:
        attendant.close()
    return 0


def read_office(folder: Path) -> Office:
    """The consent CA in ``folder``; ConfigError where it is not whole."""
    key = identity.read_key(folder / KEY_NAME)
    ca = identity.read_certificate(folder / CA_NAME)
    if ca.public_key() != key.public_key():
        raise ConfigError(f"{folder / KEY_NAME} is not the key of {CA_NAME} beside it")
    return Office(ca, key)


def _judged_by(args: argparse.Namespace) -> tuple[Any, Any]:
    """How a card is judged, and what its answers are bound to."""
    if args.ca is None:
        config = load_config(args.config)
        rules = service.Rules(store_of(config).load())
        ca = identity.read_certificate(premises.consent_of(config).ca)
        der = ca.public_bytes(serialization.Encoding.DER)
        bound = service.binding_of(config, rules)
        return (lambda card, sealing: service.judged(rules, der, card, sealing)), bound
    if not args.site or not args.purpose:
        raise ConfigError("--ca needs --site and --purpose as well")
    ca = identity.read_certificate(args.ca / CA_NAME)
    return _by_hand(ca, args.site, args.purpose)


def _by_hand(ca: x509.Certificate, site: str, purpose: str) -> tuple[Any, Any]:
    from doorsill.consent.challenge import Binding

    der = issuing.der(ca)
    pin = trust.fingerprint(der)

    def judge(card: bytes, sealing: bytes) -> ConsentCertificate:
        authority = trust.authority(der, pin, (), _now())
        return trust.verify(card, authority, site, [purpose], _now())

    return judge, Binding("this-machine", boot_id(), pin, site, 3600.0)


def _show(action: Action) -> None:
    if isinstance(action, Opened):
        _line("OPEN", _described(action.lease.card))
    elif isinstance(action, Closed):
        _line("BLANK", WORDS[action.reason])
    elif isinstance(action, Refused):
        _line("BLANK", f"not opened: {WORDS[action.reason]}")


def _described(card: ConsentCertificate) -> str:
    ends = datetime.fromtimestamp(card.not_after, UTC)
    return (
        f"{card.holder}'s card, for {card.purpose} at {card.site}, "
        f"until {ends:%Y-%m-%d %H:%M} UTC"
    )


def _management_key(path: Path | None) -> bytes:
    if path is None:
        return FACTORY_MANAGEMENT_KEY
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} is not a key in hexadecimal") from None


def _warn_factory(key: bytes) -> None:
    if key == FACTORY_MANAGEMENT_KEY:
        _say(
            "the card still has the factory's management key; whoever holds the card "
            "can write to it. Change it, and the PIN, with the maker's tool"
        )


def _begins(day: str) -> float:
    if not day:
        return _now() - 60.0  # a device's clock may be a little behind
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ConfigError(f"--begins {day} is not a date as 2027-01-31") from None


def _ask_pin() -> str:
    if not sys.stdin.isatty():
        raise UntrustedError("the FIDO2 key wants its PIN; run this in a terminal")
    return getpass.getpass("PIN of the FIDO2 key: ")


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _line(state: str, words: str) -> None:
    _say(f"{datetime.now(UTC):%H:%M:%S}  {state:5}  {words}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
