"""Makes videos that are whole, bent and broken, and an RTSP camera that serves one."""

import socket
import socketserver
import struct
import threading
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from limits import END_S

RATE = 10  # frames a second


def scene(number: int, size: tuple[int, int]) -> np.ndarray:
    """A red corner at the top left, a white bar that moves, some noise."""
    width, height = size
    rng = np.random.default_rng(number)
    picture = rng.integers(60, 90, (height, width, 3), np.uint8)
    at = (number * 7) % (width - width // 8)
    picture[height // 2 :, at : at + width // 8] = 255
    picture[: height // 4, : width // 4] = (255, 0, 0)
    return picture


def record(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (320, 240),
    stamps: tuple[int, ...] | None = None,
    movflags: str = "",
) -> Path:
    """Encode a recording; ``stamps`` are the frames' times in ms, else 100 ms apart."""
    path.write_bytes(_encoded(path.suffix, frames, size, stamps, movflags))
    return path


@cache
def _encoded(
    suffix: str,
    frames: int,
    size: tuple[int, int],
    stamps: tuple[int, ...] | None,
    movflags: str,
) -> bytes:
    codecs = {".gif": "gif", ".avi": "mpeg4"}
    options = {"movflags": movflags} if movflags else {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"recording{suffix}"
        with av.open(str(path), "w", options=options) as output:
            stream = output.add_stream(codecs.get(suffix, "libx264"), rate=RATE)
            stream.width, stream.height = size
            stream.pix_fmt = "rgb8" if suffix == ".gif" else "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000 if stamps else RATE)
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(scene(number, size), "rgb24")
                frame.pts = stamps[number] if stamps else number
                frame.time_base = stream.codec_context.time_base
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return path.read_bytes()


def turn(path: Path, degrees: int) -> Path:
    """Write a display matrix into an MP4, as a phone does; clockwise degrees."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix starts there
    one = 0x10000
    a, b, c, d = {
        0: (one, 0, 0, one),
        90: (0, one, -one, 0),
        180: (-one, 0, 0, -one),
        270: (0, -one, one, 0),
    }[degrees]
    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    """Leave the first part of a file only."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def cut_inside_frame(path: Path, share: float) -> Path:
    """Leave the first part of a transport stream, and the beginning of one frame."""
    data = path.read_bytes()
    packets = [data[at : at + 188] for at in range(0, int(len(data) * share), 188)]
    begins = 0x40  # payload_unit_start_indicator; video is on PID 256
    starts = [
        number
        for number, packet in enumerate(packets)
        if packet[1] & begins and packet[1] & 0x1F == 1 and packet[2] == 0
    ]
    path.write_bytes(data[: (starts[-1] + 4) * 188])
    return path


def spoil(path: Path, share: float, length: int = 3000) -> Path:
    """Overwrite a part in the middle of a file with noise."""
    data = bytearray(path.read_bytes())
    at = int(len(data) * share)
    data[at : at + length] = np.random.default_rng(3).bytes(length)
    path.write_bytes(data[: path.stat().st_size])
    return path


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\n"


class RtspCamera:
    """Serves one MPEG transport stream by RTSP over TCP, then stalls or hangs up."""

    def __init__(self, stream: Path, *, stall: bool = False) -> None:
        self._stream = stream.read_bytes()
        self._stall = stall
        self._leave = threading.Event()
        self.asked: list[str] = []
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                camera.serve(self.rfile, self.wfile, self.connection)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"rtsp://127.0.0.1:{self._server.server_address[1]}/door"

    def __enter__(self) -> "RtspCamera":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._server.shutdown()
        self._thread.join(END_S)
        self._server.server_close()

    def serve(self, requests, answers, connection: socket.socket) -> None:
        """Answer OPTIONS, DESCRIBE and SETUP; on PLAY send everything at once."""
        while line := requests.readline().decode():
            headers = {}
            while (header := requests.readline().decode().strip()) and ":" in header:
                name, value = header.split(":", 1)
                headers[name.lower()] = value.strip()
            method = line.split()[0] if line.split() else ""
            self.asked.append(method)
            body = SDP if method == "DESCRIBE" else ""
            kind = "Content-Type: application/sdp\r\n" if body else ""
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
            answers.write(
                f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', 0)}\r\nSession: 1\r\n"
                f"Public: DESCRIBE, SETUP, PLAY\r\nTransport: {transport}\r\n{kind}"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            if method == "PLAY":
                self._send(connection)
                return

    def _send(self, connection: socket.socket) -> None:
        size = 7 * 188  # seven transport packets fill an Ethernet frame
        for number, at in enumerate(range(0, len(self._stream), size)):
            rtp = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number * 900, 7)
            packet = rtp + self._stream[at : at + size]
            connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
        if self._stall:
            self._leave.wait(60)
