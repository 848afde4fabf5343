"""PC/SC: which cards are in which readers, and one undisturbed line to a card.

pcscd waits with us: a card that is pulled is known when the reader reports it, not at
the next poll. A daemon that is gone ends the wait at once; then we try to reach it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError, TokenEvent, TokenIn, TokenOut
from doorsill.drivers.token.pcsc_calls import Asked, contexts, establish, release
from doorsill.drivers.token.pcsc_faults import REASONS, require, scard, words
from doorsill.process.in_time import in_time

log = logging.getLogger(__name__)

PNP = "\\\\?PnP?\\Notification"  # stands for readers that are plugged in or out
RECONNECT_S = 0.25  # between two attempts to reach pcscd
WAIT_MS = 1000  # length of a wait in which nothing happens; it costs nothing
COUNTER = 16  # bits below the part of a reader's state that counts its cards
LEAVE_S = 1.0  # closing waits this long for pcscd, which may hang

# States of a reader that does not answer
DEAD = scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE

RETRY = (
    scard.SCARD_W_RESET_CARD,  # another program reset the card
    scard.SCARD_E_INVALID_HANDLE,  # pcscd was started again
    scard.SCARD_W_REMOVED_CARD,  # the line is to the card before this one
)


def readers() -> tuple[str, ...]:
    """The names of the readers that pcscd has; raises TokenError if it is silent."""
    code, context = establish()
    require(code)
    try:
        code, names = scard.SCardListReaders(context, [])
    finally:
        release(context)
    if code == scard.SCARD_E_NO_READERS_AVAILABLE:
        return ()
    require(code)
    return tuple(sorted(names))


class Presence:
    """Cards that come and go in the readers whose names hold ``reader``."""

    def __init__(self, reader: str = "") -> None:
        self.asked = Asked()
        self._filter = reader
        self._closed = threading.Event()
        self._one: str | None = None
        self._context: Any = None
        self._why = ""  # why pcscd was not reached at the last attempt, for a person
        self._logged: set[str] = set()  # such reasons since pcscd last answered

    def one(self) -> str:
        """The reader with the one card; raises TokenError for none or several."""
        if self._one is None:
            raise TokenError(Reason.REMOVED, "there is no card in the reader")
        return self._one

    def events(self) -> Iterator[TokenEvent]:
        """TokenIn and TokenOut as they happen; the first is the state of now."""
        given: Reason | None = None
        for event in self._all_events():
            self._one = event.reader if isinstance(event, TokenIn) else None
            if isinstance(event, TokenIn):
                given = None
            elif event.reason is given:
                continue
            else:
                given = event.reason
            yield event

    def close(self) -> None:
        """End the events, also from another thread; a pcscd that hangs is left."""
        self._closed.set()
        context = self._context  # the other thread may release it meanwhile
        if context is not None:
            with suppress(TimeoutError):
                in_time(LEAVE_S, "no cancel", lambda: scard.SCardCancel(context))

    def _all_events(self) -> Iterator[TokenEvent]:
        while not self._closed.is_set():
            code, context = establish()
            self._note(code)
            if code == scard.SCARD_S_SUCCESS:
                self._context = context
                try:
                    yield from self._watch(self._context)
                finally:
                    self._context = None
                    release(context)
            if not self._closed.is_set():
                yield TokenOut(Reason.DAEMON_GONE, time.monotonic(), self._why)
                self._closed.wait(RECONNECT_S)

    def _note(self, code: int) -> None:
        """Log it once when pcscd cannot be reached, and once when it can again."""
        if code == scard.SCARD_S_SUCCESS:
            if self._logged:
                log.info("pcscd answers again")
            self._logged.clear()
            return
        self._why = words(code)
        if self._why not in self._logged:
            log.warning("%s", self._why)
        self._logged.add(self._why)

    def _watch(self, context: Any) -> Iterator[TokenEvent]:
        """The events until the daemon is gone."""
        states: dict[str, int] = {PNP: 0}
        cards: dict[str, int] = {}
        while not self._closed.is_set():
            with self.asked.waiting():
                names = self._names(context)
            if names is None:
                return
            gone = set(cards) - set(names)
            asked = [(name, states.get(name, 0)) for name in [*names, PNP]]
            wait = WAIT_MS if all(name in states for name in names) else 0
            with self.asked.waiting():
                code, seen = scard.SCardGetStatusChange(context, wait, asked)
            if code not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
                if REASONS.get(code) is Reason.READER_GONE:
                    states = {PNP: 0}
                    continue
                if not self._closed.is_set():  # otherwise close() ended the wait
                    self._note(code)
                return
            states = {n: s & ~scard.SCARD_STATE_CHANGED for n, s, _ in seen}
            before, cards = cards, _cards(seen)
            lost = gone or not names or _dead(seen)
            away = Reason.READER_GONE if lost else Reason.REMOVED
            for event in _changes(before, cards, away):
                yield _add_names(event, names)

    def _names(self, context: Any) -> list[str] | None:
        code, names = scard.SCardListReaders(context, [])
        if code == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if code != scard.SCARD_S_SUCCESS:
            return None
        return [name for name in names if self._filter in name]


def _cards(seen: list[tuple[str, int, list[int]]]) -> dict[str, int]:
    """Readers with a card, and how many cards each has seen."""
    return {
        name: state >> COUNTER
        for name, state, _ in seen
        if name != PNP and state & scard.SCARD_STATE_PRESENT
    }


def _add_names(event: TokenEvent, names: list[str]) -> TokenEvent:
    """Name the readers that are empty, so that a person knows which they are."""
    if isinstance(event, TokenOut) and event.reason is Reason.REMOVED:
        return replace(event, readers=", ".join(names))
    return event


def _dead(seen: list[tuple[str, int, list[int]]]) -> bool:
    """Whether a reader that is still listed does not answer: it was unplugged."""
    return any(name != PNP and state & DEAD for name, state, _ in seen)


def _changes(
    before: dict[str, int], cards: dict[str, int], away: Reason
) -> Iterator[TokenEvent]:
    """The events of the step from ``before`` to ``cards``; a swap of cards is two."""
    now = time.monotonic()
    if len(cards) > 1:
        yield TokenOut(Reason.SECOND_CARD, now)
    elif not cards:
        yield TokenOut(away, now)
    elif cards != before:
        if len(before) == 1:
            yield TokenOut(Reason.REMOVED, now)
        yield TokenIn(next(iter(cards)), now)


class Channel:
    """A line to the card in a reader, kept open between transactions."""

    def __init__(self) -> None:
        self.asked = Asked()  # not while another program has the card to itself
        self._context: Any = None
        self._card: Any = None
        self._reader = ""
        self._protocol = 0

    @property
    def t0(self) -> bool:
        """Whether the card speaks T=0, which carries data one way at a time."""
        return bool(self._protocol == scard.SCARD_PROTOCOL_T0)

    @contextmanager
    def transaction(self, reader: str) -> Iterator[Channel]:
        """Keep other programs from the card meanwhile; raises TokenError."""
        self._begin(reader)
        try:
            yield self
        except TokenError:
            self.close()
            raise
        with self.asked.waiting():
            scard.SCardEndTransaction(self._card, scard.SCARD_LEAVE_CARD)

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command as it is, and give its answer; raises TokenError."""
        with self.asked.waiting():
            code, answer = scard.SCardTransmit(self._card, self._protocol, list(apdu))
        require(code)
        return bytes(each & 0xFF for each in answer)

    def close(self) -> None:
        """Close the line; the card keeps its power for other programs."""
        if self._card is not None:
            with contexts() as alone:
                if alone:  # otherwise it ends with this process
                    scard.SCardDisconnect(self._card, scard.SCARD_LEAVE_CARD)
        if self._context is not None:
            release(self._context)
        self._context = self._card = None

    def _begin(self, reader: str) -> None:
        for last in (False, True):
            if self._card is None or self._reader != reader:
                self.close()
                self._connect(reader)
            code = scard.SCardBeginTransaction(self._card)
            if last or code not in RETRY:
                break
            self.close()
        if code != scard.SCARD_S_SUCCESS:
            self.close()
        require(code)

    def _connect(self, reader: str) -> None:
        code, self._context = establish()
        require(code)
        with self.asked.waiting():
            code, self._card, self._protocol = scard.SCardConnect(
                self._context,
                reader,
                scard.SCARD_SHARE_SHARED,
                scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            )
        if code != scard.SCARD_S_SUCCESS:
            self._card = None
            self.close()
        require(code)
        self._reader = reader
