"""Where a process answers a person: the vault (status, export, blank), the uplink.

AF_UNIX, SOCK_SEQPACKET, vault.sock: one word in, one JSON object back. An export comes
as a memfd beside the answer, and is ciphertext. The process never waits for the person
who asked.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doorsill.channels.listening import listen_at, user_of
from doorsill.errors import ConfigError, UntrustedError

WORDS = ("status", "export", "blank")  # what may be asked of the vault
REQUEST_MOST = 16  # bytes of a question
ANSWER_MOST = 1 << 16  # bytes of an answer
PEERS_MOST = 4  # connections at once
ANSWER_WITHIN_S = 30.0  # longest wait for an answer


@dataclass(slots=True, eq=False)
class Request:
    """One question; it must be answered once."""

    word: str
    _peer: socket.socket

    def answer(self, reply: dict[str, Any], handle: int | None = None) -> None:
        """Send ``reply`` and the memfd ``handle``; nothing if the caller has left."""
        message = json.dumps(reply).encode()
        handles = [] if handle is None else [handle]
        with self._peer, contextlib.suppress(OSError):
            socket.send_fds(self._peer, [message], handles, socket.MSG_NOSIGNAL)


class Counter:
    """The end that answers; bound before the process confines itself."""

    def __init__(self, path: Path, words: Collection[str] = WORDS) -> None:
        """``words`` are what may be asked here.

        Raises ConfigError if it cannot listen on ``path``.
        """
        self._words = words
        self._listener = listen_at(path, 0o600, PEERS_MOST)
        self._peers: list[socket.socket] = []

    def sockets(self) -> list[socket.socket]:
        """The sockets to wait on, for select."""
        return [self._listener, *self._peers]

    def take(self) -> list[Request]:
        """The questions that came; a caller that asks anything else is disconnected."""
        self._accept()
        requests = []
        for peer in list(self._peers):
            try:
                word = peer.recv(REQUEST_MOST).decode("ascii", "replace")
            except BlockingIOError:
                continue
            except OSError:
                word = ""
            self._peers.remove(peer)
            if word in self._words:
                requests.append(Request(word, peer))
            else:
                peer.close()
        return requests

    def close(self) -> None:
        """Stop listening."""
        for each in self.sockets():
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                peer, _ = self._listener.accept()
                user = user_of(peer)
                if user not in (0, os.geteuid()) or len(self._peers) >= PEERS_MOST:
                    peer.close()
                    continue
                peer.setblocking(False)
                self._peers.append(peer)


def ask(
    path: Path, word: str, who: str = "vault", within_s: float = ANSWER_WITHIN_S
) -> tuple[dict[str, Any], int | None]:
    """Ask the process ``who``; returns its answer, and the handle of an export.

    Waits at most ``within_s`` seconds. Raises ConfigError if no process answers,
    UntrustedError if it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.settimeout(within_s)
        try:
            line.connect(str(path))
            line.send(word.encode())
            message, handles, _, _ = socket.recv_fds(line, ANSWER_MOST, 1)
        except OSError as error:
            words = error.strerror or f"nothing within {within_s:g} s"
            if error.errno in (errno.EACCES, errno.EPERM):
                words = "this user may not ask; run as root"
            raise ConfigError(f"no {who} answers on {path}: {words}") from None
    if not message:
        raise ConfigError(
            f"the {who} on {path} ended before it answered, or answers only its own "
            "user and root"
        )
    reply = _parse(message, path)
    if "refused" in reply:
        raise UntrustedError(str(reply["refused"]) or "the vault refuses")
    return reply, (handles[0] if handles else None)


def _parse(message: bytes, path: Path) -> dict[str, Any]:
    try:
        reply = json.loads(message)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise UntrustedError(f"who answers on {path} does not speak as a vault does")
    return reply
