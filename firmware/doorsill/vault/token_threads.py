"""Threads around a token: one waits for it to come and go, one speaks to it.

    token.events() ──► waits ──┐
                               ├─► events for the gate ──► take(), woken by fileno()
    token.sign()   ◄── speaks ─┘

A card that is slow, or a daemon that hangs, delays the thread that speaks. It never
delays the thread that waits, nor the thread that decides. A thread that hears that
consent has ended calls ``sever`` itself, because the thread that decides may be waiting
for a disk.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable

from doorsill.consent.challenge import Challenge
from doorsill.consent.events import Answered, Event, Inserted, Lost, Switched
from doorsill.consent.reasons import Reason
from doorsill.consent.token import Switch, Token, TokenError, TokenEvent, TokenIn
from doorsill.errors import UntrustedError

log = logging.getLogger(__name__)

WAKE_S = 5.0  # longest wait of the thread that speaks; work wakes it at once

# Takes the token's 9E and 9D certificates in DER; gives a card that may open the vault.
Judge = Callable[[bytes, bytes], Inserted]


class Attendant:
    """Call :meth:`start` once, after the process has confined itself."""

    def __init__(
        self, token: Token, judge: Judge, switch: Switch | None = None
    ) -> None:
        self.sever: Callable[[Reason], object] = lambda _: None  # destroys the key
        self._token = token
        self._switch = switch
        self._judge = judge
        self._events: deque[Event] = deque()
        self._work: queue.SimpleQueue[Challenge | bool | None] = queue.SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._threads = [
            threading.Thread(target=each, daemon=True)
            for each in (self._wait, self._speak, self._watch_switch)
        ]
        self.last: TokenEvent | None = None  # what was last heard of the token
        self.present = False  # whether there is exactly one token
        self.gone: dict[Reason, float] = {}  # monotonic s, when it was last seen gone

    @property
    def hangs(self) -> bool:
        """Whether the service behind the token answers nobody; see Token."""
        return self._token.hangs

    def start(self) -> None:
        """Begin to wait; the first event says whether a token is there now."""
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        """Readable while there are events to take."""
        return self._bell

    def take(self) -> list[Event]:
        """What happened since the last call, in order."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        events: list[Event] = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def ask(self, challenge: Challenge) -> None:
        """Put ``challenge`` to the token; an Answered or a Lost event follows."""
        self._work.put(challenge)

    def inspect(self) -> None:
        """Read the token again; an Inserted or a Lost event follows."""
        self._work.put(True)

    def close(self) -> None:
        """End the threads, without waiting for a card that does not answer."""
        self._work.put(None)
        self._token.close()
        if self._switch is not None:
            self._switch.close()
        for thread in self._threads:
            thread.join(1.0)

    def _tell(self, event: Event) -> None:
        """Queue the event first, then destroy the key.

        In the other order a new key could be made before the event is seen.
        """
        try:
            self._events.append(event)
            os.eventfd_write(self._bell, 1)
        finally:
            if isinstance(event, Lost):
                self.sever(event.reason)
            elif isinstance(event, Switched) and not event.on:
                self.sever(Reason.LINE_LOW)

    def _wait(self) -> None:
        try:
            for event in self._token.events():
                self.last = event
                self.present = isinstance(event, TokenIn)
                if isinstance(event, TokenIn):
                    self.inspect()
                else:
                    self.gone[event.reason] = event.at
                    self._tell(Lost(event.reason))
        except Exception:  # the top of a thread
            log.exception("the token cannot be watched any more")
        finally:
            self.present = False
            self._tell(Lost(Reason.DAEMON_GONE))

    def _watch_switch(self) -> None:
        for level in self._switch.levels() if self._switch is not None else ():
            self._tell(Switched(level))

    def _speak(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=WAKE_S)
            except queue.Empty:
                continue
            if work is None:
                return
            try:
                self._tell(self._do(work))
            except TokenError as error:
                log.warning("the card: %s", error)
                self._tell(Lost(error.reason))
            except UntrustedError as error:
                log.warning("the card is refused: %s", error)
                self._tell(Lost(Reason.UNTRUSTED))
            except Exception:  # the top of a thread: any doubt is a no
                log.exception("the card could not be spoken to")
                self._tell(Lost(Reason.CARD_ERROR))

    def _do(self, work: Challenge | bool) -> Event:
        if isinstance(work, Challenge):
            return Answered(work.digest, self._token.sign(work))
        certificate = self._token.certificate()
        return self._judge(certificate, self._token.sealing_certificate())
