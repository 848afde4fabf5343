"""Bytes to and from a machine: a serial port, or QEMU's socket in place of one."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import termios
import time
import tty
from pathlib import Path
from typing import Protocol

from .errors import BenchError

PIECE_BYTES = 65536
CONNECT_S = 20.0  # for QEMU to make its socket
LOOK_S = 0.02
WRITE_S = 20.0  # for a machine to take what is written
SPEEDS = {
    9600: termios.B9600,
    57600: termios.B57600,
    115200: termios.B115200,
    921600: termios.B921600,
}


class Line(Protocol):
    """Bytes both ways."""

    def read(self, seconds: float) -> bytes:
        """What has come, b"" if nothing did; BenchError when the other end is gone."""

    def write(self, data: bytes) -> None:
        """All of it; BenchError when it cannot be written."""

    def close(self) -> None:
        """Let go of it."""


class TtyLine:
    """A serial port at ``baud``, eight bits, no parity, raw."""

    def __init__(self, port: Path, baud: int) -> None:
        self.port = port
        try:
            self._handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise BenchError(f"{port}: {error.strerror}") from error
        try:
            tty.setraw(self._handle)
            settings = termios.tcgetattr(self._handle)
            settings[4] = settings[5] = SPEEDS[baud]
            settings[2] |= termios.CLOCAL  # no modem's lines are there
            termios.tcsetattr(self._handle, termios.TCSANOW, settings)
        except (termios.error, KeyError) as error:
            os.close(self._handle)
            raise BenchError(f"{port} is no serial port at {baud}: {error}") from error

    def read(self, seconds: float) -> bytes:
        """What has come within ``seconds``."""
        if not select.select([self._handle], [], [], seconds)[0]:
            return b""
        try:
            found = os.read(self._handle, PIECE_BYTES)
        except OSError as error:
            raise BenchError(f"{self.port}: {error.strerror}") from error
        if not found:
            raise BenchError(f"{self.port}: the other end is gone")
        return found

    def write(self, data: bytes) -> None:
        """Written, and out of the port."""
        ends = time.monotonic() + WRITE_S
        while data:
            if not select.select([], [self._handle], [], ends - time.monotonic())[1]:
                raise BenchError(f"{self.port} takes nothing")
            try:
                data = data[os.write(self._handle, data) :]
            except OSError as error:
                raise BenchError(f"{self.port}: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the port."""
        os.close(self._handle)


class SocketLine:
    """The serial port of a guest: a socket of QEMU, which may still be on its way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = connected(path)

    def read(self, seconds: float) -> bytes:
        """What has come within ``seconds``."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return b""
        with contextlib.suppress(ConnectionError):
            if found := self._socket.recv(PIECE_BYTES):
                return found
        raise BenchError("the guest is gone")

    def write(self, data: bytes) -> None:
        """All of it."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise BenchError(f"the guest takes nothing: {error}") from error

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def connected(path: Path) -> socket.socket:
    """A connection to QEMU's socket at ``path``; BenchError if none comes to be."""
    ends = time.monotonic() + CONNECT_S
    while True:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(WRITE_S)
        try:
            made.connect(str(path))
            return made
        except OSError as error:
            made.close()
            if time.monotonic() > ends:
                raise BenchError(f"no socket of QEMU at {path}: {error}") from error
            time.sleep(LOOK_S)
