"""The egress guard: every byte that leaves this device passes here, or does not leave.

    check(stream, payload, now) -> Outgoing        schema, length, rate; or it raises

The publisher accepts only an Outgoing, and only a guard can make one. One packet is not
of the wire schema: the description for Home Assistant. It passes only if it is, byte
for byte, the one that follows from the policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from doorsill.errors import UntrustedError, UplinkError
from doorsill.wire.codec import decode
from doorsill.wire.discovery import described_at
from doorsill.wire.messages import STREAMS, topic

DISCOVERY: Final = "discovery"
# Enough for 8 lines and 16 zones with the longest names.
DISCOVERY_LARGEST_BYTES = 24_576
QOS: Final = dict.fromkeys((*STREAMS, DISCOVERY), 1)
RETAINED: Final = frozenset({"live", "health", "state", DISCOVERY})

_SEAL: Final = object()


class RateError(UplinkError):
    """More than the rate allows; the caller keeps the message and tries again."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` messages at once and ``per_second`` in the long run."""

    per_second: float
    burst: int


# For each stream. A line's windows of 90 days, 129,600, then take about four minutes.
RATES: Final = {
    "interval": Rate(600.0, 600),
    "attributes": Rate(1.0, 64),
    "live": Rate(1.0, 10),
    "health": Rate(0.2, 10),
    "state": Rate(0.5, 20),
    "certificate": Rate(0.01, 10),
    DISCOVERY: Rate(0.1, 10),
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that a guard has checked; only a guard can make one."""

    topic: str
    payload: bytes
    retain: bool
    seal: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise UntrustedError("only the egress guard lets a message go out")


@dataclass(slots=True)
class _Bucket:
    level: float  # messages that may go out now
    filled: float  # when that was computed, s, monotonic

    def take(self, rate: Rate, now: float, stream: str) -> None:
        gained = max(0.0, now - self.filled) * rate.per_second
        self.level = min(float(rate.burst), self.level + gained)
        self.filled = now
        if self.level < 1.0:
            raise RateError(
                f"{stream}: more than {rate.burst} messages at once or "
                f"{rate.per_second:g} a second"
            )
        self.level -= 1.0


class EgressGuard:
    """Knows this device's name and what it may send.

    ``discovery`` is the one description for Home Assistant; None if that is off.
    """

    def __init__(self, site: str, device: str, discovery: bytes | None = None) -> None:
        self._site, self._device, self._discovery = site, device, discovery
        self._buckets: dict[str, _Bucket] = {}
        self.passed = 0
        self.passed_bytes = 0

    def check(self, stream: str, payload: bytes, now: float) -> Outgoing:
        """``payload`` as a message that may go out; ``now`` is monotonic s.

        Raises UntrustedError if it may never be sent, RateError if it is too soon.
        """
        if type(payload) is not bytes:
            raise UntrustedError(f"{stream}: {type(payload).__name__} is not bytes")
        if stream == DISCOVERY:
            name = self._check_discovery(payload)
        else:
            decode(stream, payload)
            name = topic(self._site, self._device, stream)
        bucket = self._buckets.get(stream)
        if bucket is None:
            bucket = self._buckets[stream] = _Bucket(RATES[stream].burst, now)
        bucket.take(RATES[stream], now, stream)
        self.passed += 1
        self.passed_bytes += len(payload) + len(name)
        return Outgoing(name, payload, stream in RETAINED, _SEAL)

    def will(self, payload: bytes) -> Outgoing:
        """The last will, a state; the broker publishes it, so no rate limits it."""
        decode("state", payload)
        name = topic(self._site, self._device, "state")
        return Outgoing(name, payload, True, _SEAL)

    def _check_discovery(self, payload: bytes) -> str:
        if payload != self._discovery or len(payload) > DISCOVERY_LARGEST_BYTES:
            raise UntrustedError(
                f"{DISCOVERY}: not the description that follows from the policy"
            )
        return described_at(self._site, self._device)
