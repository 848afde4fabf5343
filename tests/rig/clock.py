"""A time server (SNTP, RFC 4330) for a guest, whose network has none.

QEMU's user network hands what a guest sends to 10.0.2.2, port 123, to this machine's
loopback. Port 123 is root's: as a user there is none, and a guest keeps the time that
QEMU gave it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

PORT, HOST = 123, "127.0.0.1"
SINCE_1900_S = 2_208_988_800  # from NTP's epoch to Unix's
SERVER_V4 = 0b00_100_100  # no leap second, version 4, a server
STRATUM, PRECISION = 2, 0xEC  # as a server of a shop's; 2 to the power of -20 s
DISPERSION = 66  # 1 ms, in 1/65536 s
LOOK_S = 0.5
END_S = 20.0


def answer(asked: bytes, now: float) -> bytes:
    """The packet for ``asked``; ``now`` is UTC s. ValueError if it is no question."""
    if len(asked) < 48 or asked[0] & 0b111 != 3:
        raise ValueError("it is no question of a client")
    head = struct.pack(">BBBBII4s", SERVER_V4, STRATUM, asked[2], PRECISION, 0,
                       DISPERSION, b"LOCL")  # fmt: skip
    own = stamp(now)
    return head + own + asked[40:48] + own + own


def stamp(now: float) -> bytes:
    """UTC s as NTP writes it: seconds since 1900, and 2 to the power of -32."""
    whole = int(now)
    return struct.pack(">II", whole + SINCE_1900_S, int((now - whole) * (1 << 32)))


@contextlib.contextmanager
def serving(port: int = PORT) -> Iterator[int]:
    """Answers at ``port`` of loopback, 0 for a free one; OSError if that may not be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((HOST, port))
        line.settimeout(LOOK_S)
        ended = threading.Event()
        thread = threading.Thread(target=_answer_all, args=(line, ended), daemon=True)
        thread.start()
        try:
            yield int(line.getsockname()[1])
        finally:
            ended.set()
            thread.join(END_S)


def _answer_all(line: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(TimeoutError, ValueError, OSError):
            asked, sender = line.recvfrom(512)
            line.sendto(answer(asked, time.time()), sender)
