"""A picture that gives itself away wherever it is: a street under keyed noise.

The street has people whom the real detector finds, noise or not, so that the real
hand-over hands over their heads. The noise makes every 16 bytes of it unique.
"""

import functools
import io
import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from limits import END_S
from PIL import Image

from doorsill.channels.crop_sender import HEADS_MOST, cut_head
from doorsill.config import ModelSection
from doorsill.drivers.camera.clip import STREET
from doorsill.drivers.camera.decoding import Source
from doorsill.drivers.camera.picamera_fake import store, to_yuv
from doorsill.drivers.camera.upright import Scaler
from doorsill.drivers.camera.yuv import YuvConverter
from doorsill.services.detectors import open_detector
from doorsill.values import Frame, Pixels
from doorsill.vision.detect.detector import Detector

CROWDED, EMPTY = 300, 0  # frames of the clip
NOISE = 24  # levels up and down
NEEDLE = 16  # bytes; by chance it stands in a terabyte with a probability of 1e-26
ETH_P_ALL = 3
Needles = dict[str, list[bytes]]


def _yuv(pixels: Pixels) -> Pixels:
    """Full range, as JPEG has it."""
    return np.asarray(Image.fromarray(pixels).convert("YCbCr"))


# What a library, a model or a file format makes of pixels, pixel by pixel.
FORMS: dict[str, Callable[[Pixels], Pixels]] = {
    "RGB": lambda pixels: pixels,
    "BGR": lambda pixels: pixels[:, :, ::-1],
    "model input": lambda pixels: pixels ^ np.uint8(0x80),
    "red plane": lambda pixels: pixels[:, :, 0],
    "Y plane": lambda pixels: _yuv(pixels)[:, :, 0],
    "U plane": lambda pixels: _yuv(pixels)[:, :, 1],
    "packed YUV": _yuv,
}


@functools.cache
def detector() -> Detector:
    """The one that ships, as the vision process opens it."""
    return open_detector(ModelSection())


@functools.cache
def street(number: int) -> Pixels:
    """One frame of the street's clip, (240, 320, 3) RGB, as the camera scales it."""
    scaler = Scaler(detector().fit)
    with av.open(str(STREET)) as clip:
        frames = clip.decode(video=0)
        found = next(frame for at, frame in enumerate(frames) if at == number)
        return scaler.pixels(found).copy()


def frame(key: int) -> Pixels:
    """The crowded street under noise that only ``key`` makes."""
    noise = np.random.default_rng([key, 0xCA9A])
    picture = street(CROWDED)
    levels = noise.integers(-NOISE, NOISE + 1, picture.shape, dtype=np.int16)
    return np.clip(picture + levels, 0, 255).astype(np.uint8)


def crops(pixels: Pixels) -> list[Pixels]:
    """What the hand-over cuts out of this picture when the vault is open."""
    heads = detector().detect(Frame(pixels, 0.0)).heads[:HEADS_MOST]
    found = [cut_head(pixels, head) for head in heads]
    return [np.ascontiguousarray(crop) for crop in found if crop is not None]


def through_yuv(pixels: Pixels) -> Pixels:
    """What a camera that delivers YUV 4:2:0 makes of a picture."""
    height, width = pixels.shape[:2]
    planes = np.empty((height * 3 // 2, width), np.uint8)
    store(pixels, planes.reshape(-1), "YUV420", width)
    return YuvConverter((width, height)).convert(planes)


def needles(pixels: Pixels) -> Needles:
    """What to look for of a picture that the vision process saw, in every form.

    RGB and what libraries and cameras make of it, of the whole picture; and its crops,
    encoded again.
    """
    cut = crops(pixels)
    found = {
        name: [piece for each in (pixels, *cut) for piece in _rows(form(each))]
        for name, form in FORMS.items()
    }
    for name, plane in zip("YUV", to_yuv(pixels), strict=True):
        found[f"camera's {name}"] = _rows(plane)
    for quality in (75, 90, 95):
        found[f"JPEG {quality}"] = [
            piece for crop in cut for piece in _pieces(jpeg(crop, quality))
        ]
    return found


def jpeg(crop: Pixels, quality: int) -> bytes:
    """``crop`` encoded again, less the head that all JPEG files have in common."""
    data = io.BytesIO()
    Image.fromarray(crop).save(data, "JPEG", quality=quality)
    return data.getvalue()[700:]


def record(path: Path, codec: str, key: int, seconds: tuple[int, int]) -> Needles:
    """A recording: the canary for so long, then the empty street; what to look for.

    Besides what vision sees of it: what the decoder fills, and where a picture is a
    packet of its own, the packet.
    """
    rate, (marked, empty) = 6, seconds
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height = 320, 240
        stream.options = {} if codec == "mjpeg" else {"preset": "ultrafast", "qp": "20"}
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for at in range(rate * (marked + empty)):
            # Two empty streets, so that every picture is a new one for the decoder.
            picture = frame(key) if at < rate * marked else street(at % 2 * 5)
            image = av.VideoFrame.from_ndarray(picture, "rgb24")
            image.pts = at
            out.mux(stream.encode(image))
        out.mux(stream.encode())
    return _of_recording(path, rate * marked - 1, codec == "mjpeg")


def _of_recording(path: Path, last: int, packets: bool) -> Needles:
    found: list[Needles] = []
    source, scaler = Source(str(path), strict=True), Scaler(detector().fit)
    for at in range(last + 1):
        picture = source.next()
        if at in (last // 2, last):
            planes = [
                np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
                for plane in picture.planes
            ]
            found.append(needles(scaler.pixels(picture).copy()))
            found.append({"decoder's planes": of_planes(planes)})
    source.close()
    if packets:
        with av.open(str(path)) as clip:
            packet = bytes(next(clip.demux(video=0)))
            found.append({"packet": of_packet(packet)})
    return merged(*found)


def merged(*several: Needles) -> Needles:
    """All of them, form by form."""
    found: Needles = {}
    for each in several:
        for name, pieces in each.items():
            found[name] = found.get(name, []) + pieces
    return found


def of_secret(secret: bytes) -> list[bytes]:
    """A key in its two halves, so that a part of it is found as well."""
    return [secret[:NEEDLE], secret[-NEEDLE:]]


def hits(data: bytes, wanted: Needles) -> set[str]:
    """The forms of which ``data`` holds any piece, at any place."""
    return _search(wanted)(data)


def _search(wanted: Needles) -> Callable[[bytes], set[str]]:
    """The hits of what it is given.

    Wherever a needle lies, there is a place that 4 divides in its first four bytes. So
    the data are looked up word by word, for all needles and all four cases at once.
    """
    names = _by_piece(wanted)
    known = np.zeros((2, 1 << 16), bool)
    for piece in names:
        for at in range(4):
            known[(0, 1), np.frombuffer(piece[at : at + 4], "<u2")] = True

    def search(data: bytes) -> set[str]:
        halves = np.frombuffer(data, "<u2", len(data) // 4 * 2)
        first = np.flatnonzero(known[0][halves[::2]])
        words = first[known[1][halves[2 * first + 1]]]
        ends = [4 * int(word) + NEEDLE for word in words]
        found = {data[end - NEEDLE - at : end - at] for end in ends for at in range(4)}
        return {name for piece in found & set(names) for name in names[piece]}

    return search


def _by_piece(wanted: Needles) -> dict[bytes, list[str]]:
    names: dict[bytes, list[str]] = {}
    for name, pieces in wanted.items():
        for piece in pieces:
            assert len(piece) == NEEDLE
            names.setdefault(piece, []).append(name)
    return names


def in_files(folder: Path, wanted: Needles) -> set[str]:
    """Forms found in any file below ``folder``, as ``form in file``."""
    found, search = set(), _search(wanted)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found |= {f"{form} in {path.name}" for form in search(path.read_bytes())}
    return found


def in_memory(pid: int, wanted: Needles) -> set[str]:
    """Forms found anywhere in the memory of a process."""
    found: set[str] = set()
    search = _search(wanted)
    for data in memory(pid):
        found |= search(data)
    return found


MAPPING = re.compile(
    r"^(?P<first>[0-9a-f]+)-(?P<last>[0-9a-f]+) r(?P<may>\S+) .*?(?P<path>/.*)?$"
    r"(?P<facts>(?:\n[A-Z].*)*)",
    re.M,
)


def memory(pid: int, only: str = "") -> Iterator[bytes]:
    """Each mapping of a process that can hold anything of its own.

    ``only`` those with these VmFlags. Left out is what was never touched, and what is
    a file's and was never writable: code.
    """
    maps = Path(f"/proc/{pid}/smaps").read_text()
    with Path(f"/proc/{pid}/mem").open("rb", 0) as file:
        for found in MAPPING.finditer(maps):
            flags = found["facts"].partition("VmFlags:")[2].split()
            path = found["path"] or "/memfd:"
            code = found["may"][0] != "w" and not path.startswith("/memfd:")
            touched = not re.search(r"^Rss: +0 kB$", found["facts"], re.M)
            if touched and not code and all(flag in flags for flag in only.split()):
                yield _region(file, int(found["first"], 16), int(found["last"], 16))


def _region(file: io.FileIO, first: int, last: int) -> bytes:
    data = bytearray()
    try:
        file.seek(first)
        while len(data) < last - first:
            piece = file.read(min(1 << 22, last - first - len(data)))
            if not piece:
                break
            data += piece
    except (OSError, ValueError, OverflowError):
        pass  # [vvar] and the like cannot be read
    return bytes(data)


class Capture:
    """Every packet on the loopback interface, while used as a context; needs root."""

    def __enter__(self) -> "Capture":
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)
        )
        self._socket.bind(("lo", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.settimeout(0.1)
        self.packets: list[bytes] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(END_S)
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                self.packets.append(self._socket.recv(1 << 17))
            except TimeoutError:
                if self._ended.is_set():
                    return


def may_capture() -> bool:
    return os.geteuid() == 0


def of_planes(planes: Iterable[Pixels]) -> list[bytes]:
    """Pieces of what a decoder filled, plane by plane."""
    return [piece for plane in planes for piece in _rows(plane)]


def of_packet(data: bytes) -> list[bytes]:
    """Pieces of a compressed picture, behind what all of them begin with."""
    return _pieces(data[1000:])


def _rows(picture: Pixels) -> list[bytes]:
    """The middle of three rows; a row has at least NEEDLE bytes."""
    rows = picture[len(picture) // 6 :: max(1, len(picture) // 3)][:3]
    found = [np.ascontiguousarray(row).tobytes() for row in rows]
    return _telling([row[(len(row) - NEEDLE) // 2 :][:NEEDLE] for row in found])


def _pieces(data: bytes) -> list[bytes]:
    step = max(NEEDLE, len(data) // 4)
    starts = range(0, len(data) - NEEDLE, step)
    return _telling([data[at : at + NEEDLE] for at in starts])


def _telling(pieces: list[bytes]) -> list[bytes]:
    """Without those that other pictures could hold as well."""
    return [piece for piece in pieces if len(set(piece)) > NEEDLE // 2]
