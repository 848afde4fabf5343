"""The only way out of the vision process: fixed-size messages of small integers.

    vision: CellServer ──── AF_UNIX, SOCK_SEQPACKET ────► uplink: CellClient
                       ◄──── sequence number, 4 bytes ───

Vision binds and listens *before* it confines itself, and never opens a socket after
that; the uplink may connect and leave at any time. A closed cell stays queued until it
is acknowledged, so an uplink that restarts loses nothing. A running cell is sent if an
uplink is connected, and not kept. A message names the run of vision that it is from, so
that a cell which comes twice is recognised. The kernel says which user is at the other
end: a process of another user than the uplink's is disconnected and changes nothing.
"""

from __future__ import annotations

import logging
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from secrets import randbits
from typing import Any

from doorsill.cells import (
    Age,
    Cell,
    Expression,
    HealthCell,
    LineCell,
    LooksCell,
    Quality,
    ZoneCell,
)
from doorsill.channels.listening import listen_at, user_of, users_of
from doorsill.errors import UplinkError

log = logging.getLogger(__name__)

VERSION = 3  # of these messages
UPLINK_USER = "doorsill-uplink"
QUEUE_LIMIT = 20_000  # closed cells kept without an uplink: 3 days of 4 lines
VISION_S = 5.0  # longest wait for vision to take a connection or an acknowledgement
MESSAGE_LIMIT = 256  # bytes; the longest cell is shorter
REFUSED_EVERY_S = 60.0  # between two log lines about processes of other users
_HEADER = struct.Struct("<BBII")  # version, kind, run, sequence
_ACK = struct.Struct("<I")  # sequence

# One letter of struct format per field, in the order of the dataclass.
_LAYOUTS: dict[type[Any], tuple[int, struct.Struct]] = {
    LineCell: (1, struct.Struct("<HqI?IIII")),
    ZoneCell: (2, struct.Struct("<HqI?IIIIII")),
    HealthCell: (3, struct.Struct("<qIIIIIIIII")),
    LooksCell: (4, struct.Struct(f"<Hqq{len(Age)}I{len(Expression)}I")),
}
_KINDS: dict[int, type[Any]] = {kind: cell for cell, (kind, _) in _LAYOUTS.items()}


@dataclass(frozen=True, slots=True)
class Received:
    """A cell with its number; ``run`` is random and new with each vision process."""

    run: int
    sequence: int  # counts up from 1 within a run
    cell: Cell


def pack(received: Received) -> bytes:
    """A cell as its fixed-size message; UplinkError if a number is too large."""
    cell = received.cell
    kind, layout = _LAYOUTS[type(cell)]
    numbers: list[int] = []
    for each in fields(cell):
        value = getattr(cell, each.name)
        numbers.extend(value if isinstance(value, tuple) else (value,))
    try:
        header = _HEADER.pack(VERSION, kind, received.run, received.sequence)
        return header + layout.pack(*numbers)
    except struct.error as error:
        raise UplinkError(
            f"{type(cell).__name__} does not fit its message: {error}"
        ) from None


def unpack(message: bytes) -> Received:
    """The cell in ``message``; UplinkError for anything else."""
    if len(message) < _HEADER.size:
        raise UplinkError(f"a cell message of {len(message)} bytes is cut short")
    version, kind, run, sequence = _HEADER.unpack_from(message)
    if version != VERSION or kind not in _KINDS:
        raise UplinkError(f"cell message version {version}, kind {kind} is unknown")
    cell = _KINDS[kind]
    layout = _LAYOUTS[cell][1]
    if len(message) != _HEADER.size + layout.size:
        raise UplinkError(f"a {cell.__name__} of {len(message)} bytes is none")
    numbers = list(layout.unpack_from(message, _HEADER.size))
    return Received(run, sequence, cell(**_named(cell, numbers)))


def _named(cell: type[Any], numbers: list[int]) -> dict[str, Any]:
    widths = {"ages": len(Age), "expressions": len(Expression)}
    named: dict[str, Any] = {}
    for each in fields(cell):
        if each.name in widths:
            taken, numbers = numbers[: widths[each.name]], numbers[widths[each.name] :]
            named[each.name] = tuple(taken)
        else:
            value, numbers = numbers[0], numbers[1:]
            named[each.name] = Quality(value) if each.name == "quality" else value
    return named


class CellServer:
    """Vision's end: never blocks, never opens a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._listener = listen_at(path, 0o660, backlog=1)
        self._users = users_of(UPLINK_USER)
        self._run = randbits(32)
        self._stranger_at = float("-inf")  # last log line about one, s, monotonic
        self._peer: socket.socket | None = None
        self._queue: deque[tuple[int, bytes]] = deque()
        self._sent = 0  # how many cells of the queue were sent to the present peer
        self._sequence = 0
        self.dropped = 0  # closed cells lost because the queue was full

    @property
    def pending(self) -> int:
        """How many closed cells wait for an acknowledgement."""
        return len(self._queue)

    @property
    def handed_on(self) -> bool:
        """Whether an uplink is connected and has acknowledged every closed cell."""
        return self._peer is not None and not self._queue

    def send(self, cell: Cell) -> None:
        """Queue a closed cell, or send a running one if an uplink is connected."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        message = pack(Received(self._run, self._sequence, cell))
        if getattr(cell, "closed", True):
            self._queue.append((self._sequence, message))
            if len(self._queue) > QUEUE_LIMIT:
                self._queue.popleft()
                self._sent = max(0, self._sent - 1)
                self.dropped += 1
            self.poll()
            return
        self.poll()
        if self._peer is not None and self._sent == len(self._queue):
            self._try_send(message)

    def poll(self) -> None:
        """Accept a new uplink, read its acknowledgements, and send what is due."""
        self._take_acknowledgements()  # first: some may come from a peer that left
        self._accept()
        while self._peer is not None and self._sent < len(self._queue):
            if not self._try_send(self._queue[self._sent][1]):
                return
            self._sent += 1

    def close(self) -> None:
        """Stop listening; what was not acknowledged is gone with this process."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None
        self._listener.close()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            return
        if (user := user_of(peer)) not in self._users:
            self._send_away(peer, user)
            return
        self._drop_peer()
        peer.setblocking(False)
        self._peer, self._sent = peer, 0
        log.info("uplink connected, %d closed cells wait", len(self._queue))

    def _send_away(self, stranger: socket.socket, user: int) -> None:
        """Disconnect a process of another user; the present uplink stays."""
        stranger.close()
        now = time.monotonic()
        if now - self._stranger_at >= REFUSED_EVERY_S:
            self._stranger_at = now
            log.warning("a process of user %d is refused as uplink", user)

    def _take_acknowledgements(self) -> None:
        while self._peer is not None:
            try:
                message = self._peer.recv(_ACK.size + 1)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if len(message) != _ACK.size:
                self._drop_peer()
                return
            self._acknowledge(_ACK.unpack(message)[0])

    def _acknowledge(self, sequence: int) -> None:
        """Forget cells sent up to ``sequence``; cells that were not sent stay."""
        while self._sent and self._queue[0][0] <= sequence:
            self._queue.popleft()
            self._sent -= 1

    def _try_send(self, message: bytes) -> bool:
        assert self._peer is not None  # noqa: S101 - callers checked
        try:
            self._peer.send(message, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError:
            self._drop_peer()
            return False
        return True

    def _drop_peer(self) -> None:
        """Close the connection; the supervisor reports an uplink that stays away."""
        if self._peer is not None:
            self._peer.close()
            self._peer, self._sent = None, 0
            log.info("uplink went away")


def connect_to_vision(path: Path) -> socket.socket:
    """A connection to vision at ``path``; raises OSError."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    found.settimeout(VISION_S)  # a vision that hangs accepts no connection
    try:
        found.connect(str(path))
    except OSError:
        found.close()
        raise
    return found


class VisionLeftError(UplinkError):
    """Vision has closed the link, as it does at every stop: nothing is wrong yet."""


class CellClient:
    """The uplink's end: receive, keep safe, then acknowledge."""

    def __init__(
        self, path: Path, connect: Callable[[], socket.socket] | None = None
    ) -> None:
        """``connect`` connects for a process that may not; see ``uplink/connector``.

        Raises UplinkError if vision does not listen on ``path``.
        """
        try:
            self._socket = connect_to_vision(path) if connect is None else connect()
        except OSError as error:
            raise UplinkError(
                f"vision does not listen on {path}: {error.strerror}"
            ) from None
        self._socket.settimeout(VISION_S)  # a vision that hangs reads nothing either

    def fileno(self) -> int:
        """For select and poll."""
        return self._socket.fileno()

    def receive(self, timeout: float) -> Received | None:
        """The next cell within ``timeout`` seconds, or None.

        Raises VisionLeftError if vision went away, UplinkError if it sent something
        that is no cell.
        """
        if not select.select([self._socket], [], [], timeout)[0]:
            return None
        try:
            message = self._socket.recv(MESSAGE_LIMIT)
        except OSError as error:
            raise UplinkError(f"vision went away: {error.strerror}") from None
        if not message:
            raise VisionLeftError("vision went away")
        return unpack(message)

    def acknowledge(self, sequence: int) -> None:
        """Tell vision that everything up to ``sequence`` is on disk.

        Raises UplinkError if vision went away.
        """
        try:
            self._socket.send(_ACK.pack(sequence), socket.MSG_NOSIGNAL)
        except OSError as error:
            raise UplinkError(f"vision went away: {error.strerror}") from None

    def close(self) -> None:
        """Disconnect; cells without an acknowledgement will be sent again."""
        self._socket.close()
