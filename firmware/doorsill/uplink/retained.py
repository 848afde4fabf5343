"""What is sent besides the windows: state, live totals and health, all retained."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from doorsill.cells import HealthCell, Picture, Quality
from doorsill.device.health import resident_kib
from doorsill.errors import UntrustedError, UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.uplink.limits import packet_bytes
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.reports import Release, quality_of
from doorsill.uplink.rows import Counters
from doorsill.uplink.sight import Sight
from doorsill.uplink.standing import Device
from doorsill.uplink.tally import Minute, Tally
from doorsill.wire.codec import encode
from doorsill.wire.gauges import (
    FRAME_RATE_MOST,
    FRAME_RATE_STEP,
    FRAMES_MOST,
    KIB_MOST,
    MICROSECONDS_MOST,
    TIMES_MOST,
    WINDOWS_MOST,
    coarse,
    round_to_step,
)
from doorsill.wire.guard import DISCOVERY, EgressGuard, Outgoing
from doorsill.wire.messages import (
    Health,
    Live,
    Message,
    State,
    quality_words,
    stream_of,
)

log = logging.getLogger(__name__)

HEALTH_EVERY_S = 60.0  # between two health messages
LARGEST = 2**32 - 1  # of any counter of the uplink
DAYS_MOST = 9999  # of a certificate

# What vision says of itself, and the highest value of each; they are rounded.
FROM_VISION = {
    "frames": FRAMES_MOST,
    "invoke_us": MICROSECONDS_MOST,
    "overhead_us": MICROSECONDS_MOST,
    "vision_kib": KIB_MOST,
    "camera_restarts": TIMES_MOST,
    "vision_dropped": WINDOWS_MOST,
    "vision_refused": TIMES_MOST,
}


@dataclass(frozen=True, slots=True)
class UplinkHealth:
    """The uplink's own part of ``health``."""

    waiting: int = 0  # rows that wait for the broker
    counters: Counters = field(default_factory=Counters)
    disk_failures: int = 0  # since the start of the process
    reconnects: int = 0  # since the start of the process
    takeovers: int = 0  # times that another client came with our certificate
    ledger: Ledger = field(default_factory=lambda: Ledger(0, 0))
    picture: Picture = Picture.UNKNOWN
    problems: tuple[str, ...] = ()
    device: Device = field(default_factory=Device)


def live_of(tally: Tally, last: Minute | None, time: float, *, whole: bool) -> Live:
    """The totals: with ``whole`` of closed minutes only, else with the open one.

    The quality is that of the last closed minute, or a gap before there is one.
    ``time`` is UTC s.
    """
    totals = tally.closed_totals() if whole else tally.totals_now()
    quality = Quality.GAP if last is None else Quality.GOOD
    for sums in () if last is None else last.sums.values():
        quality |= quality_of(sums)
    return Live(
        time=int(time),
        epoch=tally.epoch,
        lines=tuple({"in": a, "out": b} for a, b in totals),
        quality=quality_words(quality),
    )


def gauges_of(cell: HealthCell | None, refused: int) -> dict[str, int]:
    """What vision says of itself, rounded, with ``refused`` cells and our memory."""
    own = {"uplink_kib": coarse(resident_kib(), KIB_MOST)}
    if cell is None:
        return own | dict.fromkeys(("frame_rate_milli", *FROM_VISION), 0)
    said = {
        "frames": cell.frames,
        "invoke_us": cell.invoke_us,
        "overhead_us": cell.overhead_us,
        "vision_kib": cell.resident_kib,
        "camera_restarts": cell.camera_restarts,
        "vision_dropped": cell.dropped,
        "vision_refused": refused,
    }
    rate = round_to_step(cell.frame_rate_milli, FRAME_RATE_STEP, FRAME_RATE_MOST)
    rounded = {name: coarse(said[name], most) for name, most in FROM_VISION.items()}
    return own | {"frame_rate_milli": rate} | rounded


def health_of(
    gauges: Mapping[str, int], own: UplinkHealth, release: Release, time: float
) -> Health:
    """The health message: vision's values, the uplink's own, and the release.

    ``time`` is UTC s.
    """
    counters = own.counters
    numbers = {
        "waiting": own.waiting,
        "dropped": counters.dropped,
        "dead_letters": counters.dead_letters,
        "refused": counters.refused,
        "disk_failures": own.disk_failures,
        "resets": counters.resets,
        "reconnects": own.reconnects,
        "takeovers": own.takeovers,
        "epsilon_spent_micro": own.ledger.spent_micro,
    }
    values: dict[str, Any] = {
        name: min(number, LARGEST) for name, number in numbers.items()
    }
    values |= gauges
    values |= {each.name: getattr(release, each.name) for each in fields(Release)}
    values |= _of_device(own)
    return Health(time=int(time), **values)


def _of_device(own: UplinkHealth) -> dict[str, Any]:
    """Problems and measurements of this device; from vision only the picture's word."""
    device = own.device
    return {
        "picture": own.picture.name.lower(),
        "problems": own.problems,
        "locks": device.locks,
        "reader": device.reader,
        "power": device.power,
        "time_synchronised": device.synchronised,
        "certificate_days": max(-DAYS_MOST, min(device.certificate_days, DAYS_MOST)),
        "temperature_c": device.temperature_c,
        "disk_free_mib": min(device.disk_free_mib, LARGEST),
        "policy_refused": device.policy_refused,
        "policy_why": device.policy_why,
    }


def state_of(sight: Sight, problems: tuple[str, ...] = ()) -> str:
    """alert with a problem, init without vision, sleeping when closed, else ready."""
    if problems:
        return "alert"
    if not sight.counts:
        return "init"
    return "sleeping" if sight.closed else "ready"


@dataclass(slots=True)
class Voice:
    """Sends each kind when it has changed or is due.

    A message that cannot be sent now is dropped; the next call sends a newer one. All
    ``now`` are monotonic s.
    """

    publisher: Publisher
    guard: EgressGuard
    discovery: bytes | None
    _state: str = ""
    _live: Live | None = None
    _described: bool = False
    _health_at: float = -1e9  # when health was last sent, s, monotonic
    _left_out: set[str] = field(default_factory=set)  # streams that are too large

    def greet(self) -> None:
        """Send everything again: to be called after each new connection."""
        self._state, self._live, self._described = "", None, False
        self._health_at = -1e9

    def describe(self, now: float) -> None:
        """Send the description for Home Assistant once a connection; retained."""
        if self.discovery is not None and not self._described:
            self._described = self._send(DISCOVERY, self.discovery, now)

    def tell_state(self, word: str, now: float) -> None:
        """Send ``word`` as state if it has changed; retained.

        If it cannot be sent now, the next call tries again.
        """
        if word != self._state and self._say(State(state=word), now):
            self._state = word

    def tell_live(self, live: Live | None, now: float) -> None:
        """Send the totals if totals, quality or epoch have changed; retained.

        If they cannot be sent now, the next call tries again.
        """
        before = self._live
        if live is None or (
            before is not None
            and (before.lines, before.quality, before.epoch)
            == (live.lines, live.quality, live.epoch)
        ):
            return
        if self._say(live, now):
            self._live = live

    def health_is_due(self, now: float) -> bool:
        """Whether health was last sent a minute ago or earlier."""
        return now - self._health_at >= HEALTH_EVERY_S

    def hurry_health(self) -> None:
        """Let health be sent at the next turn, because something in it is new."""
        self._health_at = -1e9

    def tell_health(self, health: Health, now: float) -> None:
        """Send ``health`` even if it has not changed; retained.

        If it cannot be sent now, it stays due.
        """
        if not self._say(health, now):
            return
        if not self.publisher.limits.retain:  # for readers that connected since
            self.greet()
        self._health_at = now

    def farewell(self, now: float) -> Outgoing:
        """The state of a device that leaves on purpose; RateError if it is too soon."""
        return self.guard.check("state", encode(State(state="disconnected")), now)

    def _say(self, message: Message, now: float) -> bool:
        try:
            return self._send(stream_of(message), encode(message), now)
        except UntrustedError as error:
            log.error("not sent: %s", error)
            return True

    def _send(self, stream: str, payload: bytes, now: float) -> bool:
        if self.publisher.room <= 0:
            return False
        try:
            outgoing = self.guard.check(stream, payload, now)
            if self._fits(stream, outgoing):
                self.publisher.send(outgoing)
        except UplinkError:
            return False
        return True

    def _fits(self, stream: str, outgoing: Outgoing) -> bool:
        """Whether the broker accepts a message of this size; logged when it changes."""
        limits = self.publisher.limits
        fits = limits.fit(outgoing.topic, outgoing.payload)
        if fits and stream in self._left_out:
            self._left_out.discard(stream)
            log.info("%s fits again, and is sent", stream)
        elif not fits and stream not in self._left_out:
            self._left_out.add(stream)
            log.warning(
                "the broker takes packets of %s bytes at most, so %s is left out (%s "
                "bytes); all that fits goes on (mosquitto: max_packet_size)",
                limits.packet_bytes,
                "the description for Home Assistant" if stream == DISCOVERY else stream,
                packet_bytes(outgoing.topic, outgoing.payload),
            )
        return fits
