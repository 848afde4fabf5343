"""A Raspberry Pi camera that can be driven, with the surface of picamera2 that we use.

It refuses what picamera2 refuses, pads rows as the two image processors pad them,
recycles its buffers, and spoils a buffer as soon as it is given back, so that whoever
looks at a frame after ``release`` sees rubbish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from doorsill.drivers.picamera import Library
from doorsill.values import Pixels

ROW_ALIGNMENT = {"VC4": 64, "PISP": 128}  # bytes
SPOILED = 0xEE
KEYS = {"format", "size", "stride", "preserve_ar"}


@dataclass(slots=True)
class FakePi:
    """A board with one sensor; ``picture(number, size)`` is what it sees, as RGB."""

    picture: Callable[[int, tuple[int, int]], Pixels]
    platform: str = "PISP"
    sensor: tuple[int, int] = (3280, 2464)
    busy: bool = False
    cameras: int = 1
    frames_left: int | None = None  # then it stalls as an unplugged cable does
    forced_size: tuple[int, int] | None = None  # a pipeline that gives another size
    configuration: dict[str, Any] = field(default_factory=dict)
    opened: int = 0
    closed: int = 0
    out: int = 0  # requests that are not given back
    taken: int = 0

    def library(self) -> Library:
        """What the driver takes in place of picamera2 and libcamera."""
        return Library(self._open, FakeMappedArray, lambda: "Smpte170m", self.platform)

    def _open(self, number: int) -> FakePicamera2:
        if number >= self.cameras:
            raise IndexError("list index out of range")
        if self.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.opened += 1
        return FakePicamera2(self)


class FakePicamera2:
    """As much of ``picamera2.Picamera2`` as the driver calls."""

    def __init__(self, pi: FakePi) -> None:
        self._pi = pi
        self._started = False
        self._free: list[Pixels] = []
        self.sensor_resolution = pi.sensor

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        """Streams become even in size; an unknown key of a stream is refused."""
        for name in ("main", "lores"):
            for key in wanted[name]:
                if key not in KEYS:
                    raise ValueError(f"Bad key {key!r}")
            width, height = wanted[name]["size"]
            wanted[name] = wanted[name] | {"size": (width & ~1, height & ~1)}
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        """Refuse what the pipeline refuses, then fill in the strides."""
        main, lores = wanted["main"], wanted["lores"]
        if lores["size"][0] > main["size"][0] or lores["size"][1] > main["size"][1]:
            raise RuntimeError("lores stream dimensions may not exceed main stream")
        if self._pi.platform == "VC4" and lores["format"] != "YUV420":
            raise RuntimeError("lores stream must be YUV")
        size = self._pi.forced_size or lores["size"]
        bytes_a_pixel = 1 if lores["format"] == "YUV420" else 3
        align = ROW_ALIGNMENT[self._pi.platform]
        stride = -(-size[0] * bytes_a_pixel // align) * align
        lores = lores | {"size": size, "stride": stride}
        self._pi.configuration = wanted | {"lores": lores}
        rows = size[1] * 3 // 2 if bytes_a_pixel == 1 else size[1]
        self._free = [
            np.full(rows * stride, SPOILED, np.uint8)
            for _ in range(wanted["buffer_count"])
        ]

    def stream_configuration(self, name: str) -> dict[str, Any]:
        """The stream as it was really configured."""
        stream: dict[str, Any] = self._pi.configuration[name]
        return stream

    def start(self) -> None:
        """Frames come from now on."""
        self._started = True

    def capture_request(self, wait: float) -> FakeRequest:
        """The next frame; a TimeoutError where no buffer is free or no frame comes."""
        if not self._started:
            raise RuntimeError("Camera is not started")
        if not self._free or self._pi.frames_left == 0:
            raise TimeoutError(f"Timed out after {wait:g} s")
        if self._pi.frames_left is not None:
            self._pi.frames_left -= 1
        buffer = self._free.pop(0)
        lores = self._pi.configuration["lores"]
        picture = self._pi.picture(self._pi.taken, lores["size"])
        store(picture, buffer, lores["format"], lores["stride"])
        self._pi.taken += 1
        self._pi.out += 1
        limits = self._pi.configuration["controls"]["FrameDurationLimits"]
        stamp = 10_000_000_000 + self._pi.taken * limits[0] * 1000
        return FakeRequest(buffer, lores, stamp, self._back)

    def close(self) -> None:
        """Stop; every buffer is gone."""
        self._started = False
        self._pi.closed += 1

    def _back(self, buffer: Pixels) -> None:
        buffer[:] = SPOILED
        self._pi.out -= 1
        self._free.append(buffer)


@dataclass(slots=True)
class FakeRequest:
    """As much of ``CompletedRequest`` as the driver calls."""

    buffer: Pixels
    config: dict[str, Any]
    stamp: int
    back: Callable[[Pixels], None]
    references: int = 1

    def get_metadata(self) -> dict[str, Any]:
        """The time at which the sensor began the frame, in ns."""
        return {"SensorTimestamp": self.stamp, "ExposureTime": 8000}

    def release(self) -> None:
        """Give the buffer back, once."""
        self.references -= 1
        if self.references < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self.back(self.buffer)


class FakeMappedArray:
    """As ``picamera2.MappedArray``: a view of the buffer while the block lasts."""

    def __init__(self, request: FakeRequest, stream: str, write: bool = True) -> None:
        if stream != "lores":
            raise RuntimeError(f"Stream {stream!r} is not defined")
        self._request = request
        self._write = write
        self.array: Pixels | None = None

    def __enter__(self) -> FakeMappedArray:
        config, stride = self._request.config, self._request.config["stride"]
        width, height = config["size"]
        array: Pixels = self._request.buffer.reshape(-1, stride)
        if config["format"] != "YUV420":
            array = array[:, : width * 3].reshape(height, width, 3)
        array.flags.writeable = self._write
        self.array = array
        return self

    def __exit__(self, *_: object) -> None:
        self.array = None


def store(picture: Pixels, buffer: Pixels, format_: str, stride: int) -> None:
    """Lay an RGB picture into a buffer as the image processor would."""
    height, width = picture.shape[:2]
    if format_ == "BGR888":
        buffer.reshape(height, stride)[:, : width * 3] = picture.reshape(height, -1)
        return
    y, u, v = to_yuv(picture)
    luma, chroma = height * stride, height // 2 * (stride // 2)
    buffer[:luma].reshape(height, stride)[:, :width] = y
    for plane, at in ((u, luma), (v, luma + chroma)):
        rows = buffer[at : at + chroma].reshape(height // 2, stride // 2)
        rows[:, : width // 2] = plane


def to_yuv(picture: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """BT.601, limited range, chroma averaged over two by two pixels."""
    red, green, blue = np.moveaxis(picture.astype(np.float64) / 255, 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = (blue - luma) / 1.772, (red - luma) / 1.402

    def half(plane: Any) -> Any:
        return (
            plane[0::2, 0::2]
            + plane[1::2, 0::2]
            + plane[0::2, 1::2]
            + plane[1::2, 1::2]
        ) / 4

    planes = (16 + 219 * luma, 128 + 224 * half(u), 128 + 224 * half(v))
    y, u, v = (np.round(plane).astype(np.uint8) for plane in planes)
    return y, u, v
