"""A picture that gives itself away wherever it is: keyed noise, in many forms."""

import io
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from doorsill.values import Pixels

HEIGHT, WIDTH = 120, 160
NEEDLE = 16  # bytes; by chance it stands in a terabyte with a probability of 1e-26
ETH_P_ALL = 3
Needles = dict[str, list[bytes]]


def frame(key: int) -> Pixels:
    """(HEIGHT, WIDTH, 3) of noise that only ``key`` makes."""
    noise = np.random.default_rng([key, 0xCA9A])
    return noise.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def needles(pixels: Pixels, box: tuple[int, int, int, int]) -> Needles:
    """What to look for of the crop ``box`` (x0, y0, x1, y1): raw, YUV and JPEG."""
    x0, y0, x1, y1 = box
    crop = np.ascontiguousarray(pixels[y0:y1, x0:x1])
    image = Image.fromarray(crop)
    yuv = np.asarray(image.convert("YCbCr"))
    found = {
        "RGB": _rows(crop),
        "BGR": _rows(crop[:, :, ::-1]),
        "Y plane": _rows(yuv[:, :, 0]),
        "U plane": _rows(yuv[:, :, 1]),
        "packed YUV": _rows(yuv),
        "red plane": _rows(crop[:, :, 0]),
    }
    for quality in (75, 90, 95):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality)
        found[f"JPEG {quality}"] = _pieces(data.getvalue()[700:])
    return found


def of_secret(secret: bytes) -> list[bytes]:
    """A key in its two halves, so that a part of it is found as well."""
    return [secret[:NEEDLE], secret[-NEEDLE:]]


def hits(data: bytes, wanted: Needles) -> set[str]:
    """The forms of which ``data`` holds any piece."""
    return {name for name, each in wanted.items() if any(n in data for n in each)}


def in_files(folder: Path, wanted: Needles) -> set[str]:
    """Forms found in any file below ``folder``, as ``form in file``."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found |= {
                f"{form} in {path.name}" for form in hits(path.read_bytes(), wanted)
            }
    return found


def in_memory(pid: int, wanted: Needles) -> set[str]:
    """Forms found anywhere in the memory of a process."""
    found: set[str] = set()
    for data in memory(pid):
        found |= hits(data, wanted)
    return found


def memory(pid: int, only: str = "") -> Iterator[bytes]:
    """Each readable mapping of a process; ``only`` those with these VmFlags."""
    maps = Path(f"/proc/{pid}/smaps").read_text()
    with Path(f"/proc/{pid}/mem").open("rb", 0) as file:
        for first, last, rest in re.findall(
            r"^([0-9a-f]+)-([0-9a-f]+) r(.*(?:\n[A-Z].*)*)", maps, re.M
        ):
            flags = rest.partition("VmFlags:")[2].split()
            if not all(flag in flags for flag in only.split()):
                continue
            yield _region(file, int(first, 16), int(last, 16))


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
        self._thread.join()
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


def _rows(picture: Pixels) -> list[bytes]:
    rows: Iterable[Pixels] = picture[:: max(1, len(picture) // 6)]
    return [np.ascontiguousarray(row).tobytes()[8 : 8 + NEEDLE] for row in rows]


def _pieces(data: bytes) -> list[bytes]:
    step = max(NEEDLE, len(data) // 8)
    return [data[at : at + NEEDLE] for at in range(0, len(data) - NEEDLE, step)]
