"""A keeper with everything around it, and a card that does what it is told.

Gate, keeper, vault, medium and certificates are the real ones.
"""

from __future__ import annotations

import queue
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cards import BINDING, PURPOSE, SITE, UTC, Card, Controller
from limits import wait_until
from vaults import SIZE, Bench

from doorsill.channels.crop_sender import GAP_S, Handover
from doorsill.channels.crops import CropSource
from doorsill.consent import trust
from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.events import Inserted, Moment
from doorsill.consent.gate import BEAT_S
from doorsill.consent.reasons import Reason
from doorsill.consent.token import (
    Lamp,
    Switch,
    TokenError,
    TokenEvent,
    TokenIn,
    TokenOut,
)
from doorsill.drivers.media.memory import MemoryMedium
from doorsill.errors import UntrustedError
from doorsill.office import cards
from doorsill.values import Frame
from doorsill.vault.keeper import Keeper
from doorsill.vault.token_threads import Attendant

HEADS = np.array([[0.2, 0.2, 0.6, 0.6]], np.float32)
PIXELS = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
CONTROLLER = Controller()


class ScriptedToken:
    """Comes, goes and answers as it is told."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.answer: Callable[[Challenge], Answer] = card.answer
        self.der = card.der
        self.sealing = b""
        self.asked: list[Challenge] = []
        self._events: queue.SimpleQueue[TokenEvent | None] = queue.SimpleQueue()

    def events(self) -> Iterator[TokenEvent]:
        while (event := self._events.get()) is not None:
            yield event

    def insert(self) -> None:
        self._events.put(TokenIn("reader", time.monotonic()))

    def pull(self, reason: Reason = Reason.REMOVED) -> float:
        at = time.monotonic()
        self._events.put(TokenOut(reason, at))
        return at

    def certificate(self) -> bytes:
        return self.der

    def sealing_certificate(self) -> bytes:
        return self.sealing

    def sign(self, challenge: Challenge) -> Answer:
        self.asked.append(challenge)
        return self.answer(challenge)

    def unwrap(self, peer_public: bytes, pin: str | None = None) -> bytes:
        raise TokenError(Reason.CARD_ERROR, "not here")

    @property
    def hangs(self) -> bool:
        return False

    def close(self) -> None:
        self._events.put(None)


class ScriptedSwitch:
    """A key switch that is turned as it is told."""

    def __init__(self) -> None:
        self._levels: queue.SimpleQueue[bool | None] = queue.SimpleQueue()

    def turn(self, on: bool) -> None:
        self._levels.put(on)

    def levels(self) -> Iterator[bool]:
        while (level := self._levels.get()) is not None:
            yield level

    def close(self) -> None:
        self._levels.put(None)


class FaultyMedium(MemoryMedium):
    """Fails where it is asked to."""

    def __init__(self) -> None:
        super().__init__(SIZE)
        self.how = ""
        self.rotten: set[int] = set()  # bytes with another bit than was written

    def rot(self, offset: int) -> None:
        """One bit at ``offset`` turns by itself, until something is written there."""
        self.rotten.add(offset)

    def append(self, record: bytes) -> int:
        if self.how == "vanish":
            raise UntrustedError("the medium vanished")
        if self.how == "elsewhere":
            return super().append(record) + 1
        return super().append(record)

    def read_back(self, offset: int, size: int) -> bytes:
        found = super().read_back(offset, size)
        for each in self.rotten & set(range(offset, offset + size)):
            found = found[: each - offset] + b"\xff" + found[each - offset + 1 :]
        return bytes(len(found)) if self.how == "forget" else found

    def blank(self) -> tuple[str, ...]:
        self.rotten.clear()
        return super().blank()


@dataclass
class Room:
    """A keeper with everything around it; ``offset`` turns its clocks."""

    folder: Path
    card: Card = field(default_factory=CONTROLLER.card)
    utc: float = 0.0
    offset: float = 0.0
    lamp: Lamp | None = None
    switch: Switch | None = None

    def __post_init__(self) -> None:
        self.medium = FaultyMedium()
        self.bench = Bench(self.folder, self.medium)
        self.vault = self.bench.vault
        self.vault.start()
        self.token = ScriptedToken(self.card)
        self.consent_pin = CONTROLLER.pin
        self.revoked: tuple[str, ...] = ()
        self.digest = BINDING.policy
        self.judged = 0  # cards, whether they were found good or not
        self.attendant = Attendant(self.token, self.judge, self.switch)
        self.began = time.monotonic()
        self.keeper = Keeper(self.vault, self.attendant, BINDING, self.now, self.lamp)
        self.vision = Handover(self.folder / "faces.sock", self.monotonic)
        self.keeper.vision.source = CropSource(self.folder / "faces.sock")
        self.frames = 0
        self.attendant.start()

    def monotonic(self) -> float:
        return time.monotonic() + self.offset

    def now(self) -> Moment:
        monotonic = self.monotonic()
        return Moment(monotonic, UTC + monotonic - self.began + self.utc)

    def judge(self, card: bytes, sealing: bytes) -> Inserted:
        self.judged += 1
        utc = self.now().utc
        ca = cards.der(CONTROLLER.ca)
        authority = trust.authority(ca, self.consent_pin, self.revoked, utc)
        found = trust.verify(card, authority, SITE, [PURPOSE], utc)
        return Inserted(found, self.digest)

    def offer(self) -> int:
        self.frames += 1
        frame = Frame(PIXELS, self.frames * (GAP_S + 0.01))
        return self.vision.offer(frame, HEADS, frame.time)

    def look(self) -> None:
        """A picture without anybody: vision hears of leases and crops nothing."""
        self.vision.offer(Frame(PIXELS, 0.0), HEADS[:0], 0.0)

    def told(self) -> bool:
        """Whether the token's threads have reported what was not taken yet."""
        return bool(select.select([self.attendant], [], [], 0)[0])

    def beat(self) -> None:
        """A second later, in which the card has answered once more."""
        count = len(self.token.asked)
        self.offset += BEAT_S + 0.01
        self.until(lambda: len(self.token.asked) > count)
        self.until(lambda: self.keeper.gate.pending is None)

    def until(self, good: Callable[[], object], within_s: float = 10.0) -> None:
        wait_until(good, self.keeper.status, within_s, between=self.turn)

    def turn(self) -> None:
        self.keeper.turn()
        self.attendant_idle()

    def attendant_idle(self) -> None:
        """Let the token's threads have the processor."""
        threading.Event().wait(0.0005)

    def open(self) -> None:
        self.token.insert()
        self.until(lambda: self.vault.session is not None)
        for _ in range(3):
            self.offer()
        self.until(lambda: self.vault.session and self.vault.session.records)

    def shut(self) -> None:
        self.until(lambda: self.vault.session is None)

    def close(self) -> None:
        self.keeper.close()
        self.medium.close()
        self.vision.close()
        if self.keeper.vision.source is not None:
            self.keeper.vision.source.close()
