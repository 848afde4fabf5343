"""A process beside the uplink that connects, so that the uplink itself cannot.

    uplink ── one byte: which ──► connector ── connect ──► broker, or vision
           ◄── the connection ──

It is forked before the uplink reads its key. It knows two addresses and accepts no
other; it never sends anything on a connection that it made. So the process that speaks
TLS and MQTT has no right to make a socket of any kind, to any place, on any kernel.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from doorsill.channels.cell_link import connect_to_vision
from doorsill.errors import ConfigError, UplinkError
from doorsill.process.confine import Confinement, close, restrict

ASK = b"!"  # the question, and the first byte of a good answer
NAME_ERROR = b"n"  # first byte of an answer: the name was not found
OTHER_ERROR = b"o"  # first byte of an answer: any other error
LONGEST_ANSWER = 512  # bytes
BROKER_WITHIN_S = 120.0  # for a name to be looked up and its addresses to be tried
VISION_WITHIN_S = 20.0  # for it to confine itself on a slow camera, and to connect

Connect = Callable[[], socket.socket]


@dataclass(frozen=True, slots=True)
class Connector:
    """The uplink's end; for each connection one thread at a time may ask."""

    _broker: socket.socket
    _vision: socket.socket
    process: int = 0  # its process id

    def ready(self) -> Self:
        """Wait until the other process has confined itself; else ConfigError."""
        try:
            ready = self._vision.recv(LONGEST_ANSWER) == ASK
        except TimeoutError:
            ready = False
        if not ready:
            raise ConfigError("the process that connects cannot confine itself")
        return self

    def require(self) -> None:
        """UplinkError if the other process is gone: then only a new start helps."""
        if not select.select([self._vision], [], [], 0)[0]:
            return
        if not self._vision.recv(1, socket.MSG_PEEK):
            raise UplinkError("the process that connects is gone")

    def broker(self) -> socket.socket:
        """A TCP connection to the broker; raises OSError, as ``connect`` would."""
        return _ask(self._broker)

    def vision(self) -> socket.socket:
        """A connection to vision's cells; raises OSError."""
        return _ask(self._vision)

    def close(self) -> None:
        """Close both ends; the other process then ends."""
        self._broker.close()
        self._vision.close()


def start(host: str, port: int, cells: Path, timeout_s: float) -> Connector:
    """Fork the process that connects, and wait until it has confined itself.

    Raises ConfigError if it cannot confine itself.
    """
    return begin(host, port, cells, timeout_s).ready()


def begin(host: str, port: int, cells: Path, timeout_s: float) -> Connector:
    """Fork the process that connects; to be called while there is one thread.

    ``timeout_s`` is the limit for each address of ``host``. Ask it nothing before
    ``ready``.
    """

    def to_broker() -> socket.socket:
        return socket.create_connection((host, port), timeout_s)

    def to_vision() -> socket.socket:
        return connect_to_vision(cells)

    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in "bv"]
    (ours_b, theirs_b), (ours_v, theirs_v) = pairs
    process = os.fork()
    if process == 0:
        ours_b.close()
        ours_v.close()
        _serve_and_end({theirs_b: to_broker, theirs_v: to_vision}, port)
    theirs_b.close()
    theirs_v.close()
    ours_b.settimeout(BROKER_WITHIN_S)
    ours_v.settimeout(VISION_WITHIN_S)
    return Connector(ours_b, ours_v, process)


def _serve_and_end(served: dict[socket.socket, Connect], port: int) -> None:
    """In the new process: never returns."""
    try:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)  # it ends when the uplink does
        keep = Confinement("connector", ports=[port])
        restrict(keep)
        close(keep)
        (broker, to_broker), (vision, to_vision) = served.items()
        threading.Thread(target=_serve, args=(broker, to_broker), daemon=True).start()
        vision.send(ASK)
        _serve(vision, to_vision)
    finally:
        os._exit(0)


def _serve(line: socket.socket, connect: Connect) -> None:
    """Connect as often as we are asked to, until the other end is gone."""
    while line.recv(1):
        try:
            with connect() as found:
                socket.send_fds(line, [ASK], [found.fileno()])
        except socket.gaierror as error:
            line.send(_spell(NAME_ERROR, error))
        except OSError as error:
            line.send(_spell(OTHER_ERROR, error))


def _spell(kind: bytes, error: OSError) -> bytes:
    number = error.errno
    if number is None:
        number = errno.ETIMEDOUT if isinstance(error, TimeoutError) else errno.EIO
    text = error.strerror or str(error)
    return kind + f"{number} {text}".encode()[: LONGEST_ANSWER - 1]


def _forget_late_answers(line: socket.socket) -> None:
    """Drop answers to questions that timed out: their connections may be dead."""
    while select.select([line], [], [], 0)[0]:
        message, handles, _, _ = socket.recv_fds(line, LONGEST_ANSWER, 1)
        for handle in handles:
            os.close(handle)
        if not message:
            return


def _ask(line: socket.socket) -> socket.socket:
    """Ask for a connection; raises OSError, and TimeoutError if no answer comes."""
    _forget_late_answers(line)
    line.send(ASK)
    message, handles, _, _ = socket.recv_fds(line, LONGEST_ANSWER, 1)
    if message == ASK and len(handles) == 1:
        found = socket.socket(fileno=handles[0])
        found.setblocking(True)  # the connector had set a time limit on it
        return found
    if not message:
        raise OSError(errno.EPIPE, "the process that connects is gone")
    number, _, text = message[1:].decode(errors="replace").partition(" ")
    kind = socket.gaierror if message[:1] == NAME_ERROR else OSError
    raise kind(int(number), text)
