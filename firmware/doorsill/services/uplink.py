"""The process that speaks: from vision's cells to the broker. Read this first.

    vision ─► Intake ─► Outbox ─► Delivery ─► EgressGuard ─► Publisher ─► broker
               Tally                          ▲
                       Voice (state, live, health, description)

It does not forward what vision says. It counts again (``tally``), within the bounds of
what people can do on foot (``pieces``), and sends at moments of its own (``pace``).
``capacity`` computes how much could still be hidden in the messages.

One thread, one loop; paho's own thread does the network. The loop waits for the socket
of vision and for the broker's answers. It has no camera and gets no pixel.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from select import select
from typing import Any

import doorsill
from doorsill.cells import HealthCell, Picture
from doorsill.channels.cell_link import CellClient
from doorsill.channels.control import Counter
from doorsill.config import Config
from doorsill.device import identity
from doorsill.errors import UplinkError
from doorsill.policy.document import Policy
from doorsill.policy.obedience import Obedience, declare
from doorsill.privacy.budget import day_of
from doorsill.privacy.noise import MICRO
from doorsill.process.confine import Confinement, confine
from doorsill.process.stopping import listen
from doorsill.process.supervisor import Supervisor
from doorsill.services.policies import store_of
from doorsill.services.release import release_of
from doorsill.uplink.answer import Line, answer_of
from doorsill.uplink.answers import Answered, Connected, Disconnected
from doorsill.uplink.attributes import AttributeRules
from doorsill.uplink.connector import Connector
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.intake import Intake
from doorsill.uplink.lookout import Lookout
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.pace import Moments, Pace
from doorsill.uplink.patience import Timing
from doorsill.uplink.pieces import Places, minute_of
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.reports import Release
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
from doorsill.uplink.tally import Tally
from doorsill.uplink.tally_text import tally_of
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe
from doorsill.wire.gauges import warmth
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import Live, State

log = logging.getLogger(__name__)

STEP_S = 0.5  # longest wait of the loop, so that a signal is seen soon
LIVED_EVERY_S = 60.0  # between two writes of how long this device ran
LEAVE_WITHIN_S = 3.0  # for the last messages, when it stops
DISK_RETRY_S = 5.0  # wait after the disk failed
TIME_SOURCE = Path("/run/systemd/timesync")  # says whether NTP has set the clock
HEAR_OUT_S = 1.0  # for the last windows under the old policy
# Health messages of vision that are reported at once: a person who installs the camera
# waits for them.
FIRST_ACCOUNTS = 2
PACE = Pace()


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
    _heat: tuple[str, int | None] = ("unknown", None)  # power, degrees as reported
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
            self._live = self._live_now(utc)

    @property
    def _tells_whole(self) -> bool:
        """Whether ``live`` is of closed minutes, sent with them."""
        return 0 < self.pace.minute_s <= self.pace.live_s

    def _live_now(self, utc: float) -> Live | None:
        """The totals now; None until vision sends a cell: the broker has the last."""
        if not self.intake.newest:
            return None
        intake = self.intake
        return live_of(intake.tally, intake.last, utc, whole=self._tells_whole)

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
            self._disk_takes = True
        except UplinkError as error:
            self.intake.disk_failures += 1
            self._disk_at = now + DISK_RETRY_S
            if self._disk_takes:  # log it once, not at every attempt
                log.warning("%s", error)
            self._disk_takes = False

    def _hear(self, now: float) -> None:
        events = self.delivery.publisher.poll()
        self.delivery.heard(
            [each for each in events if isinstance(each, Answered)], now
        )
        for event in events:
            if isinstance(event, Connected):
                self.connections += 1
                self.away = ""
                self.voice.greet()
                self.delivery.meet(event.limits, now)
                log.info("connected to the broker")
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
        if self._gauging.due(utc) or early:
            self._gauged = health
            self._gauges = gauges_of(health, self.intake.refused)
            device = self.lookout(now)
            self._heat = device.power, warmth(device.temperature_c)
        if early:
            self._accounts += 1
            self.voice.hurry_health()

    def _say(self, now: float) -> None:
        """Send what has changed or is due, and what waits in the outbox."""
        utc, facts = self.utc(), self.facts(now)
        self._say_problems(problems_of(facts))
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
        if self.intake.newest:
            last = self.intake.last
            self._live = live_of(self.intake.tally, last, utc, whole=False)

    def facts(self, now: float) -> Facts:
        """What may be reported of this moment; ``now`` is monotonic s."""

        def since(at: float | None) -> float | None:
            return None if at is None else now - at

        power, celsius = self._heat
        return Facts(
            device=replace(self.lookout(now), power=power, temperature_c=celsius),
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
        lived = int(now - self._lived_at)
        if lived >= LIVED_EVERY_S:
            self.delivery.outbox.live(lived)
            self._lived_at += lived


def main(config: Config, connector: Connector, timing: Timing) -> None:
    """Run until SIGTERM or SIGINT; ``uplink_start`` has started ``connector``.

    Raises DoorsillError if it must not go on.
    """
    obedience = Obedience(config.policy_in_force)
    policy = store_of(config).load()
    uplink = build(config, policy, release_of(config, policy), timing, connector)
    declare(config.declaration("uplink"), policy.digest)
    uplink.counter = Counter(config.uplink_socket, ("status",))
    supervisor = Supervisor(os.environ)
    connector.ready()
    confine(
        Confinement("uplink", writable=[config.outbox.parent], visible=visible(config))
    )
    run(uplink, supervisor, obedience, connector)


def visible(config: Config) -> list[Path]:
    """What the uplink reads besides the program: policy, certificates, the machine."""
    broker = config.broker
    of_policy = (config.policy_in_force, config.controller_key)
    folders = [each.parent for each in (*of_policy, broker.ca, broker.certificate)]
    return [*folders, config.device.run, Path("/sys"), TIME_SOURCE]


def build(
    config: Config,
    policy: Policy,
    release: Release,
    timing: Timing | None = None,
    connector: Connector | None = None,
    pace: Pace | None = None,
) -> Uplink:
    """Join the parts as the configuration and the policy say; nothing runs yet.

    ``connector`` connects; without it this process does so itself.
    """
    outbox = Outbox(config.outbox, lambda: day_of(int(time.time())))
    if pace is None:
        pace = replace(PACE, live_s=policy.live_seconds)
    exhumed = outbox.exhume()
    if exhumed:
        log.info("%s messages that the broker had refused are tried again", exhumed)
    site, device = config.device.site, config.device.id
    discovery = description_of(config, policy)
    guard = EgressGuard(site, device, discovery)
    will = guard.will(encode(State(state="lost")))
    to_broker = None if connector is None else connector.broker
    to_vision = None if connector is None else connector.vision
    publisher = Publisher(address_of(config), will, timing or Timing(), to_broker)
    rules, socket = attribute_rules(config, policy), config.cell_socket
    booted = booted_at(time.time())
    intake = Intake(
        lambda: CellClient(socket, to_vision),
        outbox,
        rules,
        release,
        secrets.randbelow,
        tally_in(outbox, rules.places, booted),
        booted,
    )
    voice = Voice(publisher, guard, discovery)
    uplink = Uplink(intake, Delivery(outbox, publisher, guard), voice, pace)
    uplink.lookout = lookout_of(config, policy).look
    return uplink


def lookout_of(config: Config, policy: Policy) -> Lookout:
    """What measures this machine, with the files that it reads."""
    return Lookout(
        policy.digest,
        config.broker.certificate,
        config.policy_in_force,
        config.outbox,
        config.declaration("vision"),
        config.reader_note if config.consent else None,
    )


def description_of(config: Config, policy: Policy) -> bytes | None:
    """The description of this device for Home Assistant; None if that is off."""
    if not config.broker.discovery:
        return None
    lines = [line.id for line in policy.lines]
    zones = [zone.id for zone in policy.zones if zone.kind == "count"]
    device = config.device
    return describe(device.site, device.id, doorsill.__version__, lines, zones)


def tally_in(outbox: Outbox, places: Places, booted: int) -> Tally:
    """The stored tally, or a new one from ``booted`` on (UTC s)."""
    text = outbox.tally()
    if text is not None:
        try:
            return tally_of(text, places)
        except UplinkError as error:
            log.error("%s; the totals begin again", error)
    return Tally(places, secrets.randbelow(2**32), booted)


def booted_at(utc: float) -> int:
    """The start of the minute in which this machine began to run, UTC s.

    No cell can be older, because vision keeps cells in memory. ``utc`` is the time now.
    """
    return minute_of(utc - time.clock_gettime(time.CLOCK_BOOTTIME))


def attribute_rules(config: Config, policy: Policy) -> AttributeRules:
    """The rules for attributes: of each value the stricter, of policy and file."""
    epsilon = min(policy.epsilon_per_day, config.privacy.epsilon_per_day)
    return AttributeRules(
        attributes=policy.attributes and policy.notice is not None,
        k=max(policy.k, config.privacy.k),
        daily_micro=int(epsilon * MICRO),
        places=Places(
            len(policy.lines), sum(zone.kind == "count" for zone in policy.zones)
        ),
    )


def run(
    uplink: Uplink,
    supervisor: Supervisor,
    obedience: Obedience | None = None,
    connector: Connector | None = None,
) -> None:
    """Turn the loop until a signal asks to stop, or another policy is in force.

    Each turn is a sign of life. Raises UplinkError if ``connector`` has ended.
    """
    stop = listen()
    uplink.delivery.publisher.start()
    supervisor.ready("at work")
    while not stop.asked:
        uplink.step(STEP_S)
        supervisor.alive(time.monotonic())
        if connector is not None:
            connector.require()
        if obedience is not None and obedience.is_replaced():
            log.info("another policy is in force; to obey it, the uplink starts again")
            _hear_out(uplink)
            break
    supervisor.stopping()
    uplink.leave()


def _hear_out(uplink: Uplink) -> None:
    """Wait for vision, which also ends: it closes its window, sends it, and leaves."""
    deadline = time.monotonic() + HEAR_OUT_S
    while uplink.intake.link is not None and time.monotonic() < deadline:
        uplink.step(0.05)


def address_of(config: Config) -> Address:
    """Where the broker is, and our certificate."""
    broker = config.broker
    return Address(
        config.device.id,
        broker.host,
        broker.port,
        broker.ca,
        broker.certificate,
        identity.key_at(config.broker.key),
        config.device.site,
        broker.revoked,
    )
