"""Joins the parts of the uplink as the configuration and the policy say."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

import doorsill
from doorsill.channels.cell_link import CellClient
from doorsill.config import Config
from doorsill.device import identity
from doorsill.errors import UplinkError
from doorsill.policy.document import Policy
from doorsill.privacy.budget import day_of
from doorsill.privacy.noise import MICRO
from doorsill.services.uplink_loop import Uplink
from doorsill.uplink.attributes import AttributeRules
from doorsill.uplink.connector import Connector
from doorsill.uplink.courier import Courier
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.inbox import Inbox
from doorsill.uplink.intake import Intake
from doorsill.uplink.lookout import Lookout
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.pace import Pace
from doorsill.uplink.patience import Timing
from doorsill.uplink.pieces import Places, minute_of
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.reports import Release
from doorsill.uplink.retained import (
    Voice,
)
from doorsill.uplink.tally import Tally
from doorsill.uplink.tally_text import tally_of
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import State

log = logging.getLogger(__name__)

PACE = Pace()


def build(
    config: Config,
    policy: Policy,
    release: Release,
    timing: Timing | None = None,
    connector: Connector | None = None,
    pace: Pace | None = None,
    utc: Callable[[], float] = time.time,
) -> Uplink:
    """Join the parts as the configuration and the policy say; nothing runs yet.

    ``connector`` connects; without it this process does so itself. ``utc`` is the
    clock, UTC s.
    """
    outbox = Outbox(config.outbox, lambda: day_of(int(utc())))
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
    booted = booted_at(utc())
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
    uplink = Uplink(intake, Delivery(outbox, publisher, guard), voice, pace, utc)
    uplink.inbox = Inbox(config.arrived, config.verdict)
    uplink.lookout = lookout_of(config, policy).look
    if config.consent is not None:
        uplink.courier = Courier(config.tray, outbox)
    return uplink


def lookout_of(config: Config, policy: Policy) -> Lookout:
    """What measures this machine, with the files that it reads."""
    return Lookout(
        policy,
        config.broker.certificate,
        config.policy_in_force,
        config.verdict,
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
