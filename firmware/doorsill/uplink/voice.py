"""What is told besides the windows: state, live totals, health; retained."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from doorsill.cells import HealthCell, LineCell, Picture, Quality
from doorsill.device.health import resident_kib
from doorsill.errors import UntrustedError, UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.uplink.codec import encode
from doorsill.uplink.guard import DISCOVERY, EgressGuard, Outgoing
from doorsill.uplink.intake import Window
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.reports import Release
from doorsill.uplink.rows import Counters
from doorsill.uplink.standing import Device
from doorsill.uplink.wire import Health, Live, Message, State, quality_words, stream_of

log = logging.getLogger(__name__)

LIVE_EVERY_S = 2.0  # totals, not events: whoever came in between is told together
HEALTH_EVERY_S = 60.0
LARGEST = 2**32 - 1
DAYS_MOST = 9999
_MEASURED = ("frames", "gated", "frame_rate_milli", "invoke_us", "overhead_us")


@dataclass(frozen=True, slots=True)
class Fares:
    """How the uplink itself fares."""

    waiting: int = 0
    counters: Counters = field(default_factory=Counters)
    refused: int = 0
    disk_failures: int = 0
    reconnects: int = 0
    takeovers: int = 0
    ledger: Ledger = field(default_factory=lambda: Ledger(0, 0))
    problems: tuple[str, ...] = ()
    device: Device = field(default_factory=Device)


def live_of(newest: Mapping[str, Window], lines: int, time: float) -> Live | None:
    """The totals of all lines, or None as long as nothing was heard of one."""
    cells = [newest.get(f"line-{index}") for index in range(lines)]
    known = [cell for cell in cells if isinstance(cell, LineCell)]
    if not known or len(known) < lines:
        return None
    quality = Quality.GOOD
    for cell in known:
        quality |= cell.quality
    return Live(
        time=int(time),
        epoch=known[0].epoch,
        lines=tuple({"in": cell.total_in, "out": cell.total_out} for cell in known),
        quality=quality_words(quality),
    )


def health_of(
    cell: HealthCell | None, fares: Fares, release: Release, time: float
) -> Health:
    """One message from what vision measured and how the uplink fares."""
    counters = fares.counters
    numbers = {name: getattr(cell, name, 0) for name in _MEASURED} | {
        "vision_kib": cell.resident_kib if cell else 0,
        "uplink_kib": resident_kib(),
        "camera_restarts": cell.camera_restarts if cell else 0,
        "vision_dropped": cell.dropped if cell else 0,
        "waiting": fares.waiting,
        "dropped": counters.dropped,
        "dead_letters": counters.dead_letters,
        "refused": counters.refused + fares.refused,
        "disk_failures": fares.disk_failures,
        "resets": counters.resets,
        "reconnects": fares.reconnects,
        "takeovers": fares.takeovers,
        "epsilon_spent_micro": fares.ledger.spent_micro,
    }
    told: dict[str, Any] = {
        name: min(number, LARGEST) for name, number in numbers.items()
    }
    told |= {each.name: getattr(release, each.name) for each in fields(Release)}
    told |= _of_device(cell, fares)
    return Health(time=int(time), **told)


def _of_device(cell: HealthCell | None, fares: Fares) -> dict[str, Any]:
    """What is wrong, and what was measured here; of vision only the picture's word."""
    device = fares.device
    picture = Picture(cell.picture) if cell else Picture.UNKNOWN
    return {
        "picture": picture.name.lower(),
        "problems": fares.problems,
        "locks": device.locks,
        "reader": device.reader,
        "power": device.power,
        "time_synchronised": device.synchronised,
        "certificate_days": max(-DAYS_MOST, min(device.certificate_days, DAYS_MOST)),
        "temperature_c": device.temperature_c,
        "disk_free_mib": min(device.disk_free_mib, LARGEST),
    }


def state_of(
    newest: Mapping[str, Window], *, linked: bool, problems: tuple[str, ...] = ()
) -> str:
    """alert with a problem, init without vision, sleeping when shut, else ready."""
    if problems:
        return "alert"
    if not linked or not newest:
        return "init"
    closed = all(Quality.CLOSED in cell.quality for cell in newest.values())
    return "sleeping" if closed else "ready"


@dataclass(slots=True)
class Voice:
    """Sends each kind when it has changed or is due; what cannot go now is let go."""

    publisher: Publisher
    guard: EgressGuard
    discovery: bytes | None
    _state: str = ""
    _live: Live | None = None
    _live_at: float = -1e9
    _health_at: float = -1e9

    def greet(self) -> None:
        """After every connection all of it is told anew."""
        self._state, self._live = "", None
        self._live_at = self._health_at = -1e9

    def describe(self, now: float) -> None:
        """What Home Assistant has to know, once a connection."""
        if self.discovery is not None:
            self._send(DISCOVERY, self.discovery, now)

    def tell_state(self, word: str, now: float) -> None:
        """On a change."""
        if word != self._state and self._say(State(state=word), now):
            self._state = word

    def tell_live(self, live: Live | None, now: float) -> None:
        """On a change of the counts, every two seconds at most."""
        if live is None or now - self._live_at < LIVE_EVERY_S:
            return
        before = self._live
        if before is not None and (before.lines, before.quality, before.epoch) == (
            live.lines,
            live.quality,
            live.epoch,
        ):
            return
        if self._say(live, now):
            self._live, self._live_at = live, now

    def health_is_due(self, now: float) -> bool:
        """Once a minute."""
        return now - self._health_at >= HEALTH_EVERY_S

    def tell_health(self, health: Health, now: float) -> None:
        """Whatever it says."""
        if self._say(health, now):
            self._health_at = now

    def farewell(self, now: float) -> Outgoing:
        """The last word: we leave on purpose."""
        return self.guard.check("state", encode(State(state="disconnected")), now)

    def _say(self, message: Message, now: float) -> bool:
        try:
            return self._send(stream_of(message), encode(message), now)
        except UntrustedError as error:
            log.error("not told: %s", error)
            return True

    def _send(self, stream: str, payload: bytes, now: float) -> bool:
        if self.publisher.room <= 0:
            return False
        try:
            self.publisher.send(self.guard.check(stream, payload, now))
        except UplinkError:
            return False
        return True
