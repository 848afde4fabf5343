"""One camera without a camera: the uplink's own parts, and cells that we give them.

    plan ─► cells ─► Intake ─► Outbox ─► Delivery ─► EgressGuard ─► Publisher ─► broker

A day is taken in at once, as from a vision that ran while nobody listened, and goes out
as it does after an outage: oldest first, with a full window of messages. Cells have the
same numbers each time, so a day that is given twice is counted once.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from replay.plan import MINUTES, Door, minutes, opening

from doorsill.cells import Age, Cell, Expression, LineCell, LooksCell, Quality
from doorsill.channels.cell_link import Received
from doorsill.privacy.floors import DAY_S
from doorsill.privacy.threshold import Histogram, Pending, add
from doorsill.services.uplink_loop import Uplink
from doorsill.uplink.answers import Answered, Connected
from doorsill.uplink.retained import live_of
from doorsill_fleet.stage.simulated import open_uplink

RUN = 1  # of vision, which never starts again here
LOOKED_AT = 0.8  # share of those who come in whose looks are read
CLOSED_S = 3600  # after closing time the day's windows are sent


@dataclass(slots=True)
class GivenCells:
    """The uplink's end of a link to a vision that is not there."""

    waiting: deque[Received] = field(default_factory=deque)

    def fileno(self) -> int:
        raise OSError("there is no socket")

    def receive(self, timeout: float) -> Received | None:
        """The next cell, or None."""
        return self.waiting.popleft() if self.waiting else None

    def acknowledge(self, sequence: int) -> None:
        """It is on the disk."""

    def close(self) -> None:
        """There is nothing to close."""


def cells(
    door: Door, people: Mapping[date, int], *, looks: bool
) -> Iterator[tuple[date, list[Received]]]:
    """The cells of each day of ``people``, numbered through.

    With ``looks`` they hold sums of looks, of k people and more.
    """
    dice, pending, number = random.Random(f"looks/{door.number}"), Pending(), 0
    for day in people:
        found: list[Received] = []
        counted = minutes(door.number, day, people[day])
        for minute, (came, left) in enumerate(counted):
            start = opening(day) + 60 * minute
            made: list[Cell] = [_line(start, came, left)]
            if looks:
                seen = _seen(dice, start, came)
                pending, span = add(pending, seen, 0)
                made += [] if span is None else [_looks(span)]
            for each in made:
                number += 1
                found.append(Received(RUN, number, each))
        yield day, found


def _line(start: int, came: int, left: int) -> LineCell:
    return LineCell(0, start, 60, True, came, left, 60_000, Quality.GOOD)


def _looks(span: Histogram) -> LooksCell:
    return LooksCell(0, span.start, span.end, span.ages, span.expressions)


def _seen(dice: random.Random, start: int, came: int) -> Histogram:
    """The looks of some of those who came in."""
    ages, expressions = [0] * len(Age), [0] * len(Expression)
    for _ in range(came):
        if dice.random() < LOOKED_AT:
            ages[dice.randrange(len(Age))] += 1
            expressions[dice.randrange(len(Expression))] += 1
    return Histogram(start, start + 60, tuple(ages), tuple(expressions))


@dataclass(slots=True)
class Camera:
    """What `doorsill enrol` made in ``folder``, with the clock in our hand."""

    folder: Path
    utc: float  # UTC s
    uplink: Uplink = field(init=False)
    link: GivenCells = field(default_factory=GivenCells)

    def __post_init__(self) -> None:
        self.uplink = open_uplink(self.folder, self.link, lambda: self.utc)

    def start(self) -> None:
        """Connect, and go on trying; what a run before left may go out.

        Nothing releases it later where a run that was killed had taken in all days.
        """
        self.uplink.delivery.release()
        self.uplink.delivery.publisher.start()

    def take(self, day: date, given: list[Received]) -> bool:
        """Count a day of cells, on the disk; whether any of them was new.

        The clock then stands after closing time.
        """
        self.utc = opening(day) + 60 * MINUTES + CLOSED_S
        _, last = self.uplink.intake.tally.heard
        self.link.waiting += [each for each in given if each.sequence > last]
        if not self.link.waiting:
            return False
        while self.link.waiting:
            self.uplink.intake.step(time.monotonic(), self.utc)
        outbox = self.uplink.delivery.outbox
        outbox.live(DAY_S)
        self.uplink.delivery.release()
        return True

    def send(self) -> bool:
        """A turn: hear the broker, note it, hand over more; whether all is out."""
        delivery, voice, now = self.uplink.delivery, self.uplink.voice, time.monotonic()
        events = delivery.publisher.poll()
        delivery.heard([each for each in events if isinstance(each, Answered)], now)
        for each in events:
            if isinstance(each, Connected):
                voice.greet()
                delivery.meet(each.limits, now)
                self._introduce(now)
        delivery.note()
        delivery.fill(now, self.utc)
        return delivery.idle and not delivery.outbox.due(1)

    def tell_totals(self) -> None:
        """The totals of the closed minutes, retained, as at the end of a minute."""
        intake = self.uplink.intake
        live = live_of(intake.tally, intake.last, self.utc, whole=True)
        self.uplink.voice.tell_live(live, time.monotonic())

    def _introduce(self, now: float) -> None:
        voice = self.uplink.voice
        voice.describe(now)
        voice.tell_state("ready", now)

    def fileno(self) -> int:
        """Readable when the broker has answered; for select."""
        return self.uplink.delivery.publisher.fileno()

    @property
    def egress_bytes(self) -> int:
        """Topics and payloads that passed the egress guard."""
        return self.uplink.delivery.guard.passed_bytes

    def stop(self) -> None:
        """Leave as on purpose."""
        self.uplink.delivery.publisher.stop()
        self.uplink.delivery.outbox.close()
