"""Certificates of the vault, from its tray to the outbox, at moments that say nothing.

Vision can end a lease by sending too much, and so change a number and a time in the
certificate. So a certificate takes the place of what else goes at that moment: it uses
two moments at which the gauges of vision would be sampled, and the one after them is
for the gauges again. ``capacity`` counts it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from doorsill.channels.tray import read_tray
from doorsill.errors import UntrustedError
from doorsill.uplink.outbox import Outbox
from doorsill.wire.codec import decode
from doorsill.wire.messages import CERTIFICATE, Message

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0  # between two looks at the tray
MOMENTS = 2  # that one certificate takes


@dataclass(slots=True)
class Courier:
    """Takes what lies in the tray into the outbox, and lets one go at its moment."""

    tray: Path
    outbox: Outbox
    _seen: tuple[int, int] = (0, 0)  # inode and time of the tray at the last look
    _look_at: float = float("-inf")  # next look, s, monotonic
    _taken: int = 0  # moments since the gauges had one

    def look(self, now: float) -> None:
        """Keep what is new in the tray; ``now`` is monotonic s.

        Raises UplinkError if the disk fails; the next look takes it again.
        """
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        try:
            found = self.tray.stat()
        except OSError:
            return  # no vault has started
        if (found.st_ino, found.st_mtime_ns) == self._seen:
            return
        self.outbox.hold(_in_order(read_tray(self.tray)))
        self._seen = found.st_ino, found.st_mtime_ns

    def takes_moment(self) -> bool:
        """Whether this moment is for a certificate and not for the gauges.

        Raises UplinkError if the disk fails.
        """
        if 0 < self._taken < MOMENTS:
            self._taken += 1
            return True
        if self._taken == 0 and self.outbox.release_certificate():
            self._taken = 1
            return True
        self._taken = 0
        return False


def _in_order(messages: list[bytes]) -> list[bytes]:
    """What is a certificate of the wire schema, oldest first."""
    found: list[tuple[int, bytes]] = []
    for each in messages:
        try:
            found.append((_counter(decode(CERTIFICATE, each)), each))
        except UntrustedError as error:
            log.error("what lies in the tray of the vault is not taken: %s", error)
    return [message for _, message in sorted(found)]


def _counter(message: Message) -> int:
    return int(getattr(message, "counter", 0))
