"""The process that speaks: from vision's cells to the broker. Read this first.

    vision ─► Intake ─► Outbox ─► Delivery ─► EgressGuard ─► Publisher ─► broker
                                              ▲
                       Voice (state, live, health, description)

One thread, one loop; paho's own thread does the network. What the loop waits on is the
socket of vision and the broker's answers. It has no camera and knows no pixel.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from types import FrameType
from typing import Any

import doorsill
from doorsill.cells import Picture
from doorsill.config import Config
from doorsill.confine import Confinement, confine
from doorsill.device import identity
from doorsill.device.obedience import Obedience, declaration_of, declare
from doorsill.device.policy_store import store_of
from doorsill.errors import UplinkError
from doorsill.link import CellClient
from doorsill.policy import Policy
from doorsill.privacy.budget import day_of
from doorsill.privacy.noise import MICRO
from doorsill.supervisor import Supervisor
from doorsill.uplink.codec import encode
from doorsill.uplink.connector import Connector
from doorsill.uplink.connector import start as start_connector
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.discovery import describe
from doorsill.uplink.events import Answered, Connected, Disconnected
from doorsill.uplink.guard import EgressGuard
from doorsill.uplink.intake import Intake
from doorsill.uplink.lookout import Lookout
from doorsill.uplink.looks import Rules
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.release import release_of
from doorsill.uplink.reports import Release
from doorsill.uplink.standing import Device, Facts, problems_of
from doorsill.uplink.timing import Timing
from doorsill.uplink.tls import Address
from doorsill.uplink.voice import Fares, Voice, health_of, live_of, state_of
from doorsill.uplink.wire import State

log = logging.getLogger(__name__)

STEP_S = 0.5  # longest wait, so that a signal is heard
LIVED_EVERY_S = 60.0
LEAVE_WITHIN_S = 3.0
DISK_RETRY_S = 5.0
TIME_SOURCE = Path("/run/systemd/timesync")  # says whether the clock is set
HEAR_OUT_S = 1.0  # for the last windows under a policy that is no longer in force


@dataclass(slots=True)
class Uplink:
    """The parts, joined; ``step`` is one turn of the loop."""

    intake: Intake
    delivery: Delivery
    voice: Voice
    lines: int
    utc: Callable[[], float] = time.time
    connections: int = 0
    takeovers: int = 0
    away: str = ""  # why there is no broker, as last logged
    lookout: Callable[[float], Device] = lambda now: Device()
    problems: tuple[str, ...] = ()
    _began: float = field(default_factory=time.monotonic)
    _heard_at: float | None = None  # when vision last said something, s, monotonic
    _taken_over_at: float | None = None
    _lived_at: float = field(default_factory=time.monotonic)
    _disk_at: float = 0.0  # not to be written to before, s, monotonic
    _disk_takes: bool = True
    _heard_of_vision: bool = False  # its first health is told at once

    def step(self, timeout: float) -> None:
        """Wait up to ``timeout`` s for vision or the broker, then do what is due."""
        publisher, link = self.delivery.publisher, self.intake.wants
        waits_on: list[Any] = [publisher] if link is None else [publisher, link]
        ready = select(waits_on, [], [], timeout)[0]
        now = time.monotonic()
        if link is not None and link in ready:
            self._heard_at = now
        self.intake.step(now)
        self._hear(now)
        self._write(now)
        try:
            self._tell(now)
            self.delivery.fill(now, self.utc())
        except UplinkError as error:
            log.warning("%s", error)

    def leave(self) -> None:
        """Hand on what can be handed on in three seconds, and say goodbye."""
        deadline = time.monotonic() + LEAVE_WITHIN_S
        self.step(0)
        publisher = self.delivery.publisher
        while publisher.connected and time.monotonic() < deadline:
            if self.delivery.idle and not self.delivery.outbox.due(1):
                break
            self.step(0.05)
        self.intake.close()
        farewell = None
        with contextlib.suppress(
            UplinkError
        ):  # we said too much of late: the will then
            farewell = self.voice.farewell(time.monotonic())
        publisher.stop(farewell)
        self.delivery.outbox.close()

    def _write(self, now: float) -> None:
        """A disk that takes nothing is left alone for a while; the rest goes on."""
        if now < self._disk_at:
            return
        try:
            self._live_on(now)
            self.delivery.note()
            self._disk_takes = True
        except UplinkError as error:
            self.intake.disk_failures += 1
            self._disk_at = now + DISK_RETRY_S
            if self._disk_takes:  # once, not with every attempt
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
                self.voice.describe(now)
                log.info("connected to the broker")
            elif isinstance(event, Disconnected):
                self.takeovers += event.taken_over
                if event.taken_over:
                    self._taken_over_at = now
                if event.reason != self.away:  # once, not with every attempt
                    self.away = event.reason
                    log.warning("not connected to the broker: %s", event.reason)

    def _tell(self, now: float) -> None:
        newest = self.intake.newest
        linked = self.intake.link is not None
        facts = self.facts(now)
        self._say_problems(problems_of(facts))
        state = state_of(newest, linked=linked, problems=self.problems)
        self.voice.tell_state(state, now)
        self.voice.tell_live(live_of(newest, self.lines, self.utc()), now)
        heard = self.intake.health is not None
        due = self.voice.health_is_due(now) or (heard and not self._heard_of_vision)
        if self.delivery.publisher.connected and due:
            self._heard_of_vision = heard
            release = self.intake.release
            fares = self._fare(facts.device)
            health = health_of(self.intake.health, fares, release, self.utc())
            self.voice.tell_health(health, now)

    def facts(self, now: float) -> Facts:
        """All that we know at this moment; ``now`` is monotonic s."""

        def since(at: float | None) -> float | None:
            return None if at is None else now - at

        health = self.intake.health
        return Facts(
            device=self.lookout(now),
            running_s=now - self._began,
            vision_heard_s=since(self._heard_at),
            picture=Picture.UNKNOWN if health is None else Picture(health.picture),
            refused_s=since(self.delivery.refused_at),
            taken_over_s=since(self._taken_over_at),
            disk_takes=self._disk_takes and self.intake.takes,
        )

    def _say_problems(self, found: tuple[str, ...]) -> None:
        """Once when one comes, once when it goes."""
        for each in found:
            if each not in self.problems:
                log.warning("problem: %s; `doorsill status` says more", each)
        for each in self.problems:
            if each not in found:
                log.info("no more problem: %s", each)
        self.problems = found

    def _fare(self, device: Device) -> Fares:
        outbox = self.delivery.outbox
        return Fares(
            waiting=outbox.waiting(),
            counters=outbox.counters(),
            refused=self.intake.refused,
            disk_failures=self.intake.disk_failures,
            reconnects=max(0, self.connections - 1),
            takeovers=self.takeovers,
            ledger=outbox.ledger(),
            problems=self.problems,
            device=device,
        )

    def _live_on(self, now: float) -> None:
        lived = int(now - self._lived_at)
        if lived >= LIVED_EVERY_S:
            self.delivery.outbox.live(lived)
            self._lived_at += lived


def main(config: Config) -> None:
    """Run until SIGTERM or SIGINT; what systemd starts."""
    timing, broker = Timing(), config.broker
    connector = start_connector(
        broker.host, broker.port, config.cell_socket, timing.connect_s
    )
    obedience = Obedience(config.policy_in_force)
    policy = store_of(config).load()
    uplink = build(config, policy, release_of(config, policy), timing, connector)
    declare(declaration_of(config, "uplink"), policy.digest)
    supervisor = Supervisor(os.environ)
    confine(
        Confinement("uplink", writable=[config.outbox.parent], visible=visible(config))
    )
    run(uplink, supervisor, obedience)


def visible(config: Config) -> list[Path]:
    """What the uplink reads beside the program: policy, certificates, the machine."""
    broker = config.broker
    of_policy = (config.policy_in_force, config.controller_key)
    folders = [each.parent for each in (*of_policy, broker.ca, broker.certificate)]
    return [*folders, Path("/sys"), TIME_SOURCE]


def build(
    config: Config,
    policy: Policy,
    release: Release,
    timing: Timing | None = None,
    connector: Connector | None = None,
) -> Uplink:
    """Join the parts as the configuration and the policy say; nothing runs yet.

    ``connector`` connects; without it this process does so itself.
    """
    outbox = Outbox(config.outbox, day_of(int(time.time())))
    exhumed = outbox.exhume()
    if exhumed:
        log.info("%s messages that the broker had refused are tried again", exhumed)
    site, device = config.device.site, config.device.id
    discovery = None
    if config.broker.discovery:
        names = [line.id for line in policy.lines]
        discovery = describe(site, device, doorsill.__version__, names)
    guard = EgressGuard(site, device, discovery)
    will = guard.will(encode(State(state="lost")))
    to_broker = None if connector is None else connector.broker
    to_vision = None if connector is None else connector.vision
    publisher = Publisher(_address(config), will, timing or Timing(), to_broker)
    rules, socket = rules_of(config, policy), config.cell_socket
    intake = Intake(
        lambda: CellClient(socket, to_vision), outbox, rules, release, secrets.randbelow
    )
    voice = Voice(publisher, guard, discovery)
    delivery = Delivery(outbox, publisher, guard)
    uplink = Uplink(intake, delivery, voice, len(policy.lines))
    uplink.lookout = Lookout(config, policy.digest).look
    return uplink


def rules_of(config: Config, policy: Policy) -> Rules:
    """The stricter of the signed policy and the file, each time."""
    epsilon = min(policy.epsilon_per_day, config.privacy.epsilon_per_day)
    return Rules(
        attributes=policy.attributes and policy.notice is not None,
        k=max(policy.k, config.privacy.k),
        daily_micro=int(epsilon * MICRO),
        lines=len(policy.lines),
    )


def run(
    uplink: Uplink, supervisor: Supervisor, obedience: Obedience | None = None
) -> None:
    """Turn the loop until a signal asks to stop, or another policy is in force.

    Each turn is a sign of life.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, ask)
    uplink.delivery.publisher.start()
    supervisor.ready("at work")
    while not asked:
        uplink.step(STEP_S)
        supervisor.alive(time.monotonic())
        if obedience is not None and obedience.replaced():
            log.info("another policy is in force; to obey it, the uplink starts again")
            _hear_out(uplink)
            break
    supervisor.stopping()
    uplink.leave()


def _hear_out(uplink: Uplink) -> None:
    """Vision obeys as well: it closes its window, hands it on and leaves."""
    deadline = time.monotonic() + HEAR_OUT_S
    while uplink.intake.link is not None and time.monotonic() < deadline:
        uplink.step(0.05)


def _address(config: Config) -> Address:
    broker = config.broker
    return Address(
        config.device.id,
        broker.host,
        broker.port,
        broker.ca,
        broker.certificate,
        identity.key_of(config),
        config.device.site,
        broker.revoked,
    )
