"""A PIV card in a reader as a consent token, through PC/SC; see ``piv_card``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError, TokenEvent
from doorsill.drivers.token.pcsc import LEAVE_S, Channel, Presence
from doorsill.drivers.token.piv_card import PRESENCE, SEALING, PivCard
from doorsill.process.in_time import in_time

T = TypeVar("T")

SPEAK_S = 60.0  # a command waits this long for the one before it


class PivToken:
    """The one PIV card in the readers whose names hold ``reader``."""

    def __init__(self, reader: str = "") -> None:
        self._presence = Presence(reader)
        self._channel = Channel()
        self._speaking = threading.Lock()

    def events(self) -> Iterator[TokenEvent]:
        """Cards that come and go; see :class:`Presence`."""
        return self._presence.events()

    def certificate(self) -> bytes:
        """The 9E certificate."""
        return self.with_card(lambda card: card.certificate(PRESENCE))

    def sealing_certificate(self) -> bytes:
        """The 9D certificate; empty where the card was made without one."""
        try:
            return self.with_card(lambda card: card.certificate(SEALING))
        except TokenError as error:
            if error.reason in (Reason.UNTRUSTED, Reason.CARD_ERROR):
                return b""
            raise

    def sign(self, challenge: Challenge) -> Answer:
        """The 9E key's signature of the challenge's digest."""
        return Answer(self.with_card(lambda card: card.sign(challenge.digest)))

    def unwrap(self, peer_public: bytes, pin: str | None = None) -> bytes:
        """ECDH by the 9D key with a point of 65 bytes; most cards need the PIN."""

        def agree(card: PivCard) -> bytes:
            if pin is not None:
                card.verify_pin(pin)
            return card.agree(peer_public)

        return self.with_card(agree)

    @property
    def hangs(self) -> bool:
        """Whether pcscd has left a question unanswered, by itself or for the card."""
        return self._presence.asked.hangs or self._channel.asked.hangs

    def close(self) -> None:
        """End the events and disconnect; a card that hangs is not waited for."""
        self._presence.close()
        if self._speaking.acquire(blocking=False):
            with suppress(TimeoutError):
                in_time(LEAVE_S, "no disconnect", self._channel.close)
            self._speaking.release()

    def with_card(self, work: Callable[[PivCard], T]) -> T:
        """Do ``work`` with PIV selected, undisturbed by other programs.

        Raises TokenError where there is no card, or it is busy for too long.
        """
        if not self._speaking.acquire(timeout=SPEAK_S):
            raise TokenError(
                Reason.MISSED_BEAT, f"the card is busy for more than {SPEAK_S:g} s"
            )
        try:
            with self._channel.transaction(self._presence.one()) as line:
                card = PivCard(line.transmit, line.t0)
                card.select()
                return work(card)
        finally:
            self._speaking.release()
