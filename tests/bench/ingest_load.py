"""Cameras that send as fast as the store keeps, and the clock of each message.

    python -m tests.bench.ingest_load FOLDER SECONDS

Packets are made by hand, so that the load costs little beside what it loads. It sends
while fewer than ON_WAY of its windows are not kept yet, and it writes when each went.
"""

from __future__ import annotations

import json
import mmap
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CAMERAS = 22
ON_WAY = 1000  # windows between a camera and the store
AT_ONCE = 1  # of one camera, in one write
UNANSWERED = 200  # of one camera; the broker allows 500
REST_S = 0.0005  # where there is no room
CONNECT_S = 10.0  # for a connection
PUBLISH, ACKNOWLEDGED = 0x32, 4  # first byte at QoS 1; packet type of a PUBACK
KEPT, SENT = "kept", "sent.json"  # files: how many are kept; when each was sent


@dataclass
class Camera:
    """One connection; ``template`` has a place for a window's start and end."""

    link: ssl.SSLSocket
    topic: bytes
    template: bytes
    unanswered: int = 0
    sent: list[float] = field(default_factory=list)  # when each went, s, monotonic
    _read: bytearray = field(default_factory=bytearray)

    def send(self, count: int, start: int) -> None:
        """The next ``count`` minutes after ``start`` (UTC s), in one write."""
        first = len(self.sent)
        data = b"".join(self._packet(start, first + each) for each in range(count))
        self.link.setblocking(True)
        self.link.settimeout(CONNECT_S)
        self.link.sendall(data)
        self.unanswered += count
        self.sent += [time.monotonic()] * count

    def hear(self) -> None:
        """Count the broker's answers that are there."""
        self.link.setblocking(False)
        try:
            while data := self.link.recv(1 << 14):
                self._read += data
        except ssl.SSLWantReadError:
            pass
        while len(self._read) >= 2 and len(self._read) >= 2 + self._read[1]:
            self.unanswered -= self._read[0] >> 4 == ACKNOWLEDGED
            del self._read[: 2 + self._read[1]]

    def _packet(self, start: int, number: int) -> bytes:
        begin = start + 60 * number
        payload = self.template % (begin, begin + 60)
        body = struct.pack(">H", len(self.topic)) + self.topic
        body += struct.pack(">HB", 1 + number % 60_000, 0) + payload
        return bytes([PUBLISH]) + _length(len(body)) + body


def connect(setting: dict[str, Any], number: int) -> Camera:
    """One camera of those in ``setting``, connected with MQTT 5."""
    own = setting["cameras"][number]
    context = ssl.create_default_context(cafile=setting["ca"])
    context.load_cert_chain(own["certificate"], own["key"])
    plain = socket.create_connection(("127.0.0.1", setting["port"]), CONNECT_S)
    link = context.wrap_socket(plain, server_hostname="127.0.0.1")
    name = own["client"].encode()
    body = b"\0\4MQTT\5\2" + struct.pack(">HB", 600, 0)  # clean start, keep alive
    body += struct.pack(">H", len(name)) + name
    link.sendall(b"\x10" + _length(len(body)) + body)
    answer = link.recv(1 << 10)
    if answer[0] != 0x20 or answer[3]:
        raise SystemExit(f"the broker refuses {own['client']}: {answer.hex()}")
    return Camera(link, own["topic"].encode(), setting["template"].encode())


def run(folder: Path, seconds: float) -> None:
    """Send for so long; then write when each window went, by its number."""
    setting = json.loads((folder / "load.json").read_text())
    cameras = [connect(setting, number) for number in range(CAMERAS)]
    with (folder / KEPT).open("r+b") as file:
        kept, total = mmap.mmap(file.fileno(), 8), 0
        ends = time.monotonic() + seconds
        for camera in _in_turn(cameras):
            camera.hear()
            if time.monotonic() > ends:
                break
            full = total - struct.unpack("<q", kept[:8])[0] >= ON_WAY
            if full or camera.unanswered > UNANSWERED - AT_ONCE:
                time.sleep(REST_S)
                continue
            camera.send(AT_ONCE, setting["start"])
            total += AT_ONCE
    _hear_all(cameras)
    sent = [camera.sent for camera in cameras]
    (folder / SENT).write_text(json.dumps(sent))


def _hear_all(cameras: list[Camera]) -> None:
    """A link that is closed with answers unread takes along what was sent before."""
    ends = time.monotonic() + CONNECT_S
    while any(camera.unanswered for camera in cameras):
        if time.monotonic() > ends:
            raise SystemExit("the broker answers no more")
        for camera in cameras:
            camera.hear()
        time.sleep(REST_S)


def _in_turn(cameras: list[Camera]) -> Iterator[Camera]:
    while True:
        yield from cameras


def _length(size: int) -> bytes:
    """A remaining length as MQTT writes it."""
    made = bytearray()
    while True:
        size, rest = divmod(size, 128)
        made.append(rest | (0x80 if size else 0))
        if not size:
            return bytes(made)


if __name__ == "__main__":
    run(Path(sys.argv[1]), float(sys.argv[2]))
