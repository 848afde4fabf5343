"""Bounds on who asks, and how much: a stranger stops nobody else.

Only what was refused counts against an address, so a shop whose 22 cameras come from
one address is never slowed by its own success.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field

BODY_BYTES = 8192  # of a request
BODY_S = 10.0  # for a request's body to arrive
INSIDE_S = 30.0  # for a whole connection: handshake, request, answer
INSIDE_OF_ONE = 64  # connections at once from one origin: a shop of 22 cameras, twice
INSIDE_MOST = 512  # connections at once; a process may have 1024 files open
NETWORK_BITS = 64  # of an IPv6 address: what one line has; the rest is its own choice
REFUSALS = 20  # of one address before it has to wait
REFUSALS_S = 60.0  # after which those are forgotten
ADDRESSES = 4096  # that are remembered; the oldest goes


def origin(address: str) -> str:
    """Who is counted: an IPv4 address, or the network that one IPv6 line has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False))


@dataclass(slots=True)
class Refusals:
    """How often each address was refused within the last minute."""

    _seen: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)

    def wait_s(self, address: str, now: float) -> float:
        """How long ``address`` has to wait, s; 0 if it may ask. ``now``: monotonic."""
        began, count = self._seen.get(address, (now, 0))
        left = began + REFUSALS_S - now
        return left if count >= REFUSALS and left > 0 else 0.0

    def note(self, address: str, now: float) -> None:
        """``address`` was refused."""
        began, count = self._seen.pop(address, (now, 0))
        if now >= began + REFUSALS_S:
            began, count = now, 0
        self._seen[address] = (began, count + 1)
        while len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
