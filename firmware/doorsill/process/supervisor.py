"""What a process says to systemd: it is ready, it is still at work, it ends.

    NOTIFY_SOCKET ─► connect ─► confine ─► ready ─► alive, alive, alive … ─► stopping

The socket is opened and connected before the process confines itself; afterwards it is
only sent on. The words are constants of the caller, so nothing that was seen or counted
is sent. Without a supervisor nothing is sent.

Source: sd_notify(3), systemd.service(5) on WatchdogSec=.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from doorsill.errors import ConfigError

ADDRESS = "NOTIFY_SOCKET"  # where systemd says on which socket it listens
ALIVE_EVERY_S = 1.0  # between two signs of life; every WatchdogSec of ours is longer


class Supervisor:
    """systemd, which ends us if we hang; to be made before confinement."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Connect to the socket that ``environment`` names, if it names one.

        Raises ConfigError if the socket cannot be reached, because systemd would then
        wait without end.
        """
        self._socket: socket.socket | None = None
        self._alive_at = float("-inf")  # when the last sign of life was sent, s
        address = environment.get(ADDRESS, "")
        if address:
            self._socket = _connect(address)

    def ready(self, status: str) -> None:
        """Say that the process is at work; ``systemctl status`` shows ``status``."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self, now: float) -> None:
        """Say that the loop has made a turn, at ``now`` (monotonic s)."""
        if now - self._alive_at >= ALIVE_EVERY_S:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the process was asked to end, and is ending."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Close the socket; nothing is sent any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        """Send ``text``, or drop it if that would block: the next one follows soon."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.send(text.encode("ascii"))


def _connect(address: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.setblocking(False)  # a supervisor that does not read must not stop the work
    try:
        # "@" stands for the zero byte of a name that is not in the file system.
        found.connect("\0" + address[1:] if address[0] == "@" else address)
    except OSError as error:
        found.close()
        raise ConfigError(
            f"{ADDRESS} = {address} cannot be reached: {error.strerror}"
        ) from None
    return found
