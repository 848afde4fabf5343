"""Make a consent card: keys on the card, certificates from the controller's CA.

    management key ─► make 9E and 9D ─► write 9D ─► write 9E ─► read back and ask it

The 9E certificate is written last, so a card that is pulled half-way opens nothing.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from doorsill.consent import trust
from doorsill.consent.challenge import Answer, Binding, Challenge, require_answer
from doorsill.consent.reasons import WORDS, Reason
from doorsill.consent.token import TokenError, TokenIn
from doorsill.consent.trust import ConsentCertificate
from doorsill.documents.strict_x509 import Unreadable, read_der
from doorsill.drivers.token.piv import PivToken
from doorsill.drivers.token.piv_card import PRESENCE, SEALING, PivCard
from doorsill.errors import ConfigError
from doorsill.office import cards
from doorsill.office.cards import Grant, PrivateKey
from doorsill.process.in_time import in_time

T = TypeVar("T")

WORK_S = 60.0  # limit for all work on a card; making two keys takes seconds
HANGS_S = 5.0  # a hanging pcscd is given up so much later than a missing card
# Reasons that no other card can end: a person has to do something else first.
WAITING_IS_IN_VAIN = frozenset({Reason.SECOND_CARD, Reason.DAEMON_GONE})
HANGS = "the card service (pcscd) or the card hangs: no answer"


@dataclass(frozen=True, slots=True)
class Office:
    """Who makes cards: the consent CA and its key."""

    ca: x509.Certificate
    key: PrivateKey

    @property
    def pin(self) -> str:
        """SHA-256 of the CA's certificate, as the policy names it."""
        return self.ca.fingerprint(hashes.SHA256()).hex()


def make(
    card: PivCard, office: Office, grant: Grant, management_key: bytes, utc: float
) -> ConsentCertificate:
    """Turn ``card``, with the application selected, into a consent card.

    Raises TokenError if the card fails; it then opens nothing.
    """
    card.authenticate(management_key)
    presence_key, sealing_key = card.generate(PRESENCE), card.generate(SEALING)
    sealing = cards.sealing(office.ca, office.key, sealing_key, grant)
    card.put_certificate(SEALING, cards.der(sealing))
    presence = cards.card(office.ca, office.key, presence_key, grant)
    card.put_certificate(PRESENCE, cards.der(presence))
    return prove(card, office, grant, utc)


def prove(
    card: PivCard, office: Office, grant: Grant, utc: float
) -> ConsentCertificate:
    """Read the card back and put a question to it, as a device will."""
    authority = trust.authority(cards.der(office.ca), office.pin, (), utc)
    at = max(utc, grant.not_before)
    found = trust.verify(
        card.certificate(PRESENCE), authority, grant.site, [grant.purpose], at
    )
    trust.verify_sealing(card.certificate(SEALING), authority, found, at)
    binding = Binding("issue", "issue", office.pin, grant.site, 1.0)
    question = Challenge(binding, grant.purpose, utc, secrets.token_bytes(32))
    require_answer(question, Answer(card.sign(question.digest)), found)
    return found


def with_one_card(
    token: PivToken,
    work: Callable[[PivCard], T],
    wait_s: float,
    say: Callable[[str], None],
    if_pulled: str = "the card opens nothing now",
) -> T:
    """Wait for the one card and do ``work`` on it; ConfigError in a person's words.

    ``if_pulled`` says what it means that the work was not ended.
    """
    try:
        in_time(wait_s + HANGS_S, HANGS, lambda: _await_card(token, wait_s, say))
        return in_time(WORK_S, HANGS, lambda: token.with_card(work))
    except TimeoutError as error:
        raise ConfigError(str(error)) from None
    except TokenError as error:
        if error.reason in (Reason.REMOVED, Reason.READER_GONE, Reason.DAEMON_GONE):
            raise ConfigError(
                f"{WORDS[error.reason]} half-way; {if_pulled}. "
                "Put it in and do the same again"
            ) from None
        raise ConfigError(str(error)) from None


def holder_before(card: PivCard) -> str | None:
    """The holder that the card was made for before; None if it is empty."""
    try:
        return trust.holder_of(read_der(card.certificate(PRESENCE)))
    except TokenError as error:
        if error.reason in (Reason.UNTRUSTED, Reason.CARD_ERROR):
            return None
        raise
    except Unreadable:
        return "somebody, in a certificate that cannot be read"


def _await_card(token: PivToken, wait_s: float, say: Callable[[str], None]) -> None:
    timer = threading.Timer(wait_s, token.close)
    timer.daemon = True
    timer.start()
    reason, why = Reason.REMOVED, ""
    try:
        for event in token.events():
            if isinstance(event, TokenIn):
                return
            reason, why = event.reason, event.why
            if reason in WAITING_IS_IN_VAIN:
                break
            say("put the card in" if reason is Reason.REMOVED else why or WORDS[reason])
    finally:
        timer.cancel()
    words = {
        Reason.REMOVED: f"no card was put in within {wait_s:g} s",
        Reason.READER_GONE: "there is no card reader; plug one in",
    }
    raise ConfigError(words.get(reason) or why or WORDS[reason])
