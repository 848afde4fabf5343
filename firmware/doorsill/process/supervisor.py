"""What systemd hears of a process: it is ready, it is still at work, it ends.

    NOTIFY_SOCKET ─► connect ─► confine ─► ready ─► alive, alive, alive … ─► stopping

The socket is opened and connected before the process confines itself; afterwards there
is only ``send`` on it. Nothing that was seen or counted is said: the words are
constants of the caller. Where nobody supervises, nothing is sent.

Source: sd_notify(3), systemd.service(5) on WatchdogSec=.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from doorsill.errors import ConfigError

ADDRESS = "NOTIFY_SOCKET"  # where systemd says on which socket it listens
ALIVE_EVERY_S = 1.0  # between two signs of life: far below any WatchdogSec of ours


class Supervisor:
    """The one who started us and ends us when we hang; make it before confinement."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Connect to the socket that ``environment`` names, if it names one.

        Raises ConfigError where it names one that cannot be reached: systemd would wait
        for us in vain.
        """
        self._socket: socket.socket | None = None
        self._alive_at = float("-inf")  # of the last sign of life, s, monotonic
        address = environment.get(ADDRESS, "")
        if address:
            self._socket = _connect(address)

    def ready(self, status: str) -> None:
        """The process is at work; ``systemctl status`` shows ``status``."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self, now: float) -> None:
        """The loop that does the work has come round, at ``now`` s, monotonic."""
        if now - self._alive_at >= ALIVE_EVERY_S:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The process was asked to end and is on its way."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Say nothing any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        """A word that cannot be sent now is dropped: the next one is a second away."""
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
