"""The consent card of a guest: QEMU's reader asks, the product's virtual card answers.

QEMU's ``ccid-card-passthru`` speaks VSCARD over a socket: an answer to reset means that
a card is in, REMOVE that it is out, APDU is one command or its answer.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path

from doorsill.drivers.token.piv_fake import VirtualCard

from .errors import BenchError
from .lines import connected

INIT, ERROR, READER_ADD, READER_REMOVE, ATR, REMOVE, APDU, FLUSH, FLUSHED = range(1, 10)
HEAD = struct.Struct(">III")  # kind, reader, length
MAGIC, VERSION = 0x56534344, 2
READY_S = 20.0
END_S = 20.0
LOOK_S = 1.0  # after which the thread sees that it was ended


class CardLine:
    """One reader's slot; ``insert`` and ``pull`` are what a hand, or a relay, does."""

    def __init__(self, path: Path) -> None:
        self._socket = connected(path)
        self._socket.settimeout(LOOK_S)
        self._lock = threading.Lock()
        self._card: VirtualCard | None = None
        self._ready = threading.Event()
        self._ended = False
        self.asked = 0  # commands that a card answered
        self._pulled_next = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._send(INIT, struct.pack(">III", MAGIC, VERSION, 0))
        self._thread.start()
        if not self._ready.wait(READY_S):
            raise BenchError("QEMU's reader does not answer")

    def insert(self, card: VirtualCard) -> None:
        """Put ``card`` in; it must speak T=0."""
        card.power_on()
        with self._lock:
            self._card = card
        self._send(ATR, card.atr)

    def pull(self) -> None:
        """Pull it: it answers nothing more, not even what was asked before."""
        with self._lock:
            self._card = None
        self._send(REMOVE)

    def pull_with_answer(self) -> None:
        """Pull it together with its next answer, which QEMU's reader then loses.

        Nobody who waits for that answer is ever told: a real reader would say that the
        card is mute.
        """
        self._pulled_next.set()

    def close(self) -> None:
        """Hang up; the thread has ended."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(END_S)
        self._socket.close()

    def _listen(self) -> None:
        try:
            while True:
                kind, _, length = HEAD.unpack(self._exactly(HEAD.size))
                self._take(kind, self._exactly(length))
        except (OSError, EOFError):
            return

    def _take(self, kind: int, data: bytes) -> None:
        if kind == INIT:
            self._send(READER_ADD, b"doorsill")
            self._ready.set()
        elif kind == APDU:
            with self._lock:
                answer = self._card.transmit(data) if self._card else None
            if answer is not None:
                self.asked += 1
                self._answer(answer)
        elif kind == FLUSH:
            self._send(FLUSHED)

    def _answer(self, answer: bytes) -> None:
        if not self._pulled_next.is_set():
            self._send(APDU, answer)
            return
        self._pulled_next.clear()
        with self._lock:
            self._card = None
        self._send(APDU, answer, then=HEAD.pack(REMOVE, 0, 0))

    def _send(self, kind: int, data: bytes = b"", then: bytes = b"") -> None:
        with self._lock:
            self._socket.sendall(HEAD.pack(kind, 0, len(data)) + data + then)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            with contextlib.suppress(TimeoutError):
                more = self._socket.recv(count - len(data))
                if not more:
                    raise EOFError
                data += more
            if self._ended:
                raise EOFError
        return data
