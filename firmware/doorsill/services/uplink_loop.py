"""The loop of the uplink: what happens in one turn, and when it leaves.

It waits for the socket of vision and for the broker's answers, then counts, writes to
the disk, answers people at the device, and sends what is due.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from select import select
from typing import Any

from doorsill.cells import HealthCell, Picture
from doorsill.channels.control import Counter
from doorsill.errors import UplinkError
from doorsill.uplink.answer import Line, answer_of
from doorsill.uplink.answers import Answered, Arrived, Connected, Disconnected, Unread
from doorsill.uplink.courier import Courier
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.inbox import Inbox
from doorsill.uplink.intake import Intake
from doorsill.uplink.pace import Moments, Pace
from doorsill.uplink.retained import (
    UplinkHealth,
    Voice,
    gauges_of,
    health_of,
    live_of,
    state_of,
)
from doorsill.uplink.sight import Sight, is_news, sight_of
from doorsill.uplink.standing import Device, Facts, problems_of
from doorsill.wire.gauges import warmth
from doorsill.wire.messages import Live

log = logging.getLogger(__name__)

LIVED_EVERY_S = 60.0  # between two writes of how long this device ran
LEAVE_WITHIN_S = 3.0  # for the last messages, when it stops
DISK_RETRY_S = 5.0  # wait after the disk failed
FIRST_ACCOUNTS = 2  # health cells that are reported at once: an installer waits


@dataclass(slots=True)
class Uplink:
    """The parts, joined; ``step`` is one turn of the loop."""

    intake: Intake
    delivery: Delivery
    voice: Voice
    pace: Pace = field(default_factory=Pace)
    utc: Callable[[], float] = time.time
    connections: int = 0  # to the broker, since the start
    takeovers: int = 0  # times that another client came with our certificate
    away: str = ""  # why there is no connection to the broker, as last logged
    lookout: Callable[[float], Device] = lambda now: Device()  # measures the machine
    courier: Courier | None = None  # of the vault's certificates; None without a vault
    inbox: Inbox | None = None  # of policies that come by air
    counter: Counter | None = None  # where a person can ask how we are
    problems: tuple[str, ...] = ()  # as last logged
    _began: float = field(default_factory=time.monotonic)
    sight: Sight = field(default_factory=Sight)  # vision, as it is reported
    _sight_at: float = -1e9  # when ``sight`` last changed, s, monotonic
    _taken_over_at: float | None = None  # s, monotonic
    _lived_at: float = field(default_factory=time.monotonic)  # last write, s
    _disk_at: float = 0.0  # when the disk may be written to again, s, monotonic
    _disk_takes: bool = True  # whether the disk did not fail at the last try
    _windows: Moments = field(init=False)
    _totals: Moments = field(init=False)
    _states: Moments = field(init=False)
    _gauging: Moments = field(init=False)
    _live: Live | None = None  # the totals at the last moment for them
    _gauges: dict[str, int] = field(default_factory=lambda: gauges_of(None, 0))
    _gauged: HealthCell | None = None  # the health cell that they are from
    _power: str = "unknown"  # as reported
    _celsius: int | None = None  # as reported
    _refused: str | None = None  # the policy by air that was last reported as refused
    _accounts: int = 0  # how many health cells were reported at once

    def __post_init__(self) -> None:
        pace = self.pace
        self._windows = Moments(pace.minute_s, pace.after_s)
        whole = ceil(pace.live_s / pace.minute_s) if self._tells_whole else 0
        every = pace.minute_s * whole if whole else pace.live_s
        self._totals = Moments(every, pace.after_s if whole else 0.0)
        self._states = Moments(pace.state_s)
        self._gauging = Moments(pace.gauges_s)

    def step(self, timeout: float) -> None:
        """Wait up to ``timeout`` s for vision or the broker, then do what is due."""
        publisher, link = self.delivery.publisher, self.intake.wants
        waits_on: list[Any] = [publisher] if link is None else [publisher, link]
        if self.counter is not None:
            waits_on += self.counter.sockets()
        select(waits_on, [], [], timeout)
        now = time.monotonic()
        self.intake.step(now, self.utc())
        self._hear(now)
        self._write(now)
        self._answer(now)
        try:
            self._tell(now)
        except UplinkError as error:
            log.warning("%s", error)

    def _release_due(self, utc: float) -> None:
        """Release what is due at this moment: windows, and the totals."""
        if self._windows.due(utc):
            self.delivery.release()
            self.intake.problems = self.problems
        if self._totals.due(utc):
            self._live = self._live_now(utc, self._tells_whole)

    @property
    def _tells_whole(self) -> bool:
        """Whether ``live`` is of closed minutes, sent with them."""
        return 0 < self.pace.minute_s <= self.pace.live_s

    def _live_now(self, utc: float, whole: bool) -> Live | None:
        """The totals now; None until vision sends a cell: the broker has the last."""
        intake = self.intake
        if not intake.newest:
            return None
        return live_of(intake.tally, intake.last, utc, whole=whole)

    def leave(self) -> None:
        """Send what can be sent in three seconds, then the farewell, and close."""
        deadline = time.monotonic() + LEAVE_WITHIN_S
        self.step(0)
        self._leave_vision()
        publisher = self.delivery.publisher
        while publisher.connected and time.monotonic() < deadline:
            if self.delivery.idle and not self.delivery.outbox.due(1):
                break
            select([publisher], [], [], 0.05)
            now = time.monotonic()
            self._hear(now)
            self._write(now)
            with contextlib.suppress(UplinkError):
                self._say(now)
        farewell = None  # if the rate limit refuses it, the last will is published
        with contextlib.suppress(UplinkError):
            farewell = self.voice.farewell(time.monotonic())
        publisher.stop(farewell)
        self.delivery.outbox.close()
        if self.counter is not None:
            self.counter.close()

    def _write(self, now: float) -> None:
        """Write to the disk; after a failure not again for DISK_RETRY_S."""
        if now < self._disk_at:
            return
        try:
            self._live_on(now)
            self.delivery.note()
            if self.courier is not None:
                self.courier.look(now)
            if self.inbox is not None:
                self.inbox.step(now)
            self._disk_takes = True
        except UplinkError as error:
            self.intake.disk_failures += 1
            self._disk_at = now + DISK_RETRY_S
            if self._disk_takes:  # log it once, not at every attempt
                log.warning("%s", error)
            self._disk_takes = False

    def _hear(self, now: float) -> None:
        events = self.delivery.publisher.poll()
        answers = [each for each in events if isinstance(each, Answered)]
        self.delivery.heard(answers, now)
        for event in events:
            if isinstance(event, Connected):
                self.connections += 1
                self.away = ""
                self.voice.greet()
                self.delivery.meet(event.limits, now)
                log.info("connected to the broker")
            elif isinstance(event, Arrived):
                if self.inbox is not None:
                    self.inbox.take(event.document)
            elif isinstance(event, Unread):
                log.warning("our policy does not come by air: %s", event.words)
            elif isinstance(event, Disconnected):
                self.takeovers += event.taken_over
                if event.taken_over:
                    self._taken_over_at = now
                if event.reason != self.away:  # log it once, not at every attempt
                    self.away = event.reason
                    log.warning("not connected to the broker: %s", event.reason)

    def _tell(self, now: float) -> None:
        utc = self.utc()
        self._release_due(utc)
        if self._states.due(utc):
            self._sample_vision(now)
        self._gauge(utc, now)
        self._say(now)

    def _sample_vision(self, now: float) -> None:
        """Take what vision changes in state and health, once a minute at most."""
        seen = sight_of(self.intake, now)
        if seen.picture is Picture.UNKNOWN:  # a starting vision has no picture yet
            seen = replace(seen, picture=self.sight.picture)
        rested = now - self._sight_at >= self.pace.state_rest_s
        if rested and is_news(seen, self.sight):
            self.sight, self._sight_at = seen, now

    def _gauge(self, utc: float, now: float) -> None:
        """Take what vision says of itself: the first cells, then one each half hour."""
        health = self.intake.health
        early = self._accounts < FIRST_ACCOUNTS and health is not self._gauged
        due = self._gauging.due(utc)
        if due and not early and self.courier is not None:
            due = not self.courier.takes_moment()
        if due or early:
            self._gauged = health
            self._gauges = gauges_of(health, self.intake.refused)
            device = self.lookout(now)
            self._power, self._celsius = device.power, warmth(device.temperature_c)
        if early:
            self._accounts += 1
            self.voice.hurry_health()

    def _say(self, now: float) -> None:
        """Send what has changed or is due, and what waits in the outbox."""
        utc, facts = self.utc(), self.facts(now)
        self._say_problems(problems_of(facts))
        if facts.device.policy_refused != self._refused:
            self._refused = facts.device.policy_refused
            self.voice.hurry_health()
        self.voice.describe(now)
        self.voice.tell_state(state_of(self.sight, self.problems), now)
        self.voice.tell_live(self._live, now)
        if self.delivery.publisher.connected and self.voice.health_is_due(now):
            own = self._own_health(facts.device)
            health = health_of(self._gauges, own, self.intake.release, utc)
            self.voice.tell_health(health, now)
        self.delivery.fill(now, utc)

    def _leave_vision(self) -> None:
        """Close the last minute; the last totals include it, so they never go back."""
        utc = self.utc()
        with contextlib.suppress(UplinkError):
            self.intake.leave(utc)
            self.delivery.release()
        self._live = self._live_now(utc, whole=False) or self._live

    def facts(self, now: float) -> Facts:
        """What may be reported of this moment; ``now`` is monotonic s."""

        def since(at: float | None) -> float | None:
            return None if at is None else now - at

        device = self.lookout(now)
        return Facts(
            device=replace(device, power=self._power, temperature_c=self._celsius),
            running_s=now - self._began,
            vision_heard_s=self.sight.heard_s,
            picture=self.sight.picture,
            refused_s=since(self.delivery.refused_at),
            taken_over_s=since(self._taken_over_at),
            disk_takes=self._disk_takes and self.intake.takes,
        )

    def exact_facts(self, now: float) -> Facts:
        """All that is known at this moment, exact, so it must not be sent."""
        spoke_at = self.intake.spoke_at
        return replace(
            self.facts(now),
            device=self.lookout(now),
            picture=sight_of(self.intake, now).picture or self.sight.picture,
            vision_heard_s=None if spoke_at is None else now - spoke_at,
        )

    def _say_problems(self, found: tuple[str, ...]) -> None:
        """Log each problem once when it comes and once when it goes."""
        for each in found:
            if each not in self.problems:
                log.warning("problem: %s; `doorsill status` says more", each)
        for each in self.problems:
            if each not in found:
                log.info("no more problem: %s", each)
        self.problems = found

    def _answer(self, now: float) -> None:
        """Answer a person who asks how we are, exactly: no part leaves the device."""
        for request in self.counter.take() if self.counter is not None else ():
            publisher = self.delivery.publisher
            line = Line(
                connected=publisher.connected,
                answered_at=publisher.answered_at,
                away=self.away,
                refusal=self.delivery.refusal,
            )
            facts = self.exact_facts(now)
            request.answer(answer_of(facts, line, self.intake.health, now))

    def _own_health(self, device: Device) -> UplinkHealth:
        outbox = self.delivery.outbox
        return UplinkHealth(
            waiting=outbox.waiting(self.delivery.released),
            counters=outbox.counters(),
            disk_failures=self.intake.disk_failures,
            reconnects=max(0, self.connections - 1),
            takeovers=self.takeovers,
            ledger=outbox.ledger(),
            picture=self.sight.picture,
            problems=self.problems,
            device=device,
        )

    def _live_on(self, now: float) -> None:
        if (lived := int(now - self._lived_at)) >= LIVED_EVERY_S:
            self.delivery.outbox.live(lived)
            self._lived_at += lived
