"""A Raspberry Pi camera that can be driven, with the surface of picamera2 that we use.

It refuses what picamera2 refuses and in its words, pads rows as the two image
processors pad them, recycles its buffers, and spoils a buffer as soon as it is given
back, so that a frame that is read after ``release`` is rubbish. Its answers were
measured with picamera2 0.3.38 on libcamera 0.7.1, or read in that source;
``tests/contracts/test_picamera_library.py`` asks both the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from doorsill.drivers.camera.picamera_library import Library
from doorsill.values import Pixels

ROW_ALIGNMENT = {"VC4": 64, "PISP": 128}  # bytes
SPOILED = 0xEE  # every byte of a buffer that was given back
KEYS = {"format", "size", "stride", "preserve_ar"}
FAILED = "Camera __init__ sequence did not complete."
BUSY = "Failed to acquire camera: Device or resource busy"


@dataclass(slots=True)
class FakePi:
    """A board with one sensor; ``picture(number, size)`` is what it sees, as RGB."""

    picture: Callable[[int, tuple[int, int]], Pixels]
    platform: str = "PISP"
    sensor: tuple[int, int] = (3280, 2464)
    busy: bool = False
    cameras: int = 1
    frames_left: int | None = None  # after so many it stalls, as when unplugged
    comes_late: bool = False  # the next frame comes just after the wait for it ended
    heap_opens: bool = True  # /dev/dma_heap; a close opens it again
    raw: bool = True  # a Bayer sensor; without, "raw" and "sensor" are dropped
    buffers: int | None = None  # a pipeline that takes another number of them
    forced_size: tuple[int, int] | None = None  # a pipeline that gives another size
    configuration: dict[str, Any] = field(default_factory=dict)
    opened: int = 0
    closed: int = 0
    out: int = 0  # requests that are not given back
    taken: int = 0
    waited_s: float = 0.0  # for frames that did not come; no real time passes

    def library(self) -> Library:
        """What the driver takes in place of picamera2 and libcamera."""
        kind = type("Picamera2", (FakePicamera2,), {"pi": self})
        return Library(kind, FakeMappedArray, lambda: "Smpte170m", self.platform)


class FakeHeap:
    """As ``DmaAllocator``: one descriptor, closed with the last reference to it."""

    def __init__(self, pi: FakePi) -> None:
        if not pi.heap_opens:
            raise RuntimeError("Could not open any dmaHeap device")
        self._handle = os.memfd_create("dma_heap", os.MFD_CLOEXEC)

    def __del__(self) -> None:
        if (handle := getattr(self, "_handle", None)) is not None:
            os.close(handle)


class FakePicamera2:
    """As much of ``picamera2.Picamera2`` as the driver calls."""

    pi: ClassVar[FakePi]

    def __init__(self, number: int = 0) -> None:
        reading, self.notifyme_w = os.pipe2(os.O_NONBLOCK)
        self.notifymeread = os.fdopen(reading, "rb")
        self.is_open = False
        if number >= self.pi.cameras:
            raise RuntimeError(
                f'No camera number {number} found - use "rpicam-hello --list-cameras"'
                " to check connected cameras"
            )
        if self.pi.busy:
            raise RuntimeError(FAILED) from RuntimeError(BUSY)
        self.helpers = self  # a cycle: only the collector finds it
        self.is_open, self._started = True, False
        self._free: list[Pixels] = []
        self._jobs: list[FakeJob] = []
        self.sensor_resolution = self.pi.sensor
        self.allocator: FakeHeap | None = FakeHeap(self.pi)
        self.pi.opened += 1

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        """Streams become even in size; an unknown key of a stream is refused."""
        for name in ("main", "lores"):
            for key in wanted[name]:
                if key not in KEYS:
                    raise ValueError(f"Bad key {key!r}")
            width, height = wanted[name]["size"]
            even = {"size": (width & ~1, height & ~1)}
            wanted[name] = {"preserve_ar": True} | wanted[name] | even
        if self.pi.raw:  # a Pi's own camera
            wanted["controls"] = {"NoiseReductionMode": "Fast"} | wanted["controls"]
        else:
            wanted["raw"] = wanted["sensor"] = None
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        """Refuse what the pipeline refuses, then say what it gives."""
        main, lores = wanted["main"], wanted["lores"]
        if lores["size"][0] > main["size"][0] or lores["size"][1] > main["size"][1]:
            raise RuntimeError("lores stream dimensions may not exceed main stream")
        if self.pi.platform == "VC4" and lores["format"] != "YUV420":
            raise RuntimeError("lores stream must be YUV")
        count = self.pi.buffers or wanted["buffer_count"]
        lores = self._given(lores | {"size": self.pi.forced_size or lores["size"]})
        given = {"main": self._given(main), "lores": lores, "buffer_count": count}
        self.pi.configuration = wanted | given
        frame = lores["framesize"]
        self._free = [np.full(frame, SPOILED, np.uint8) for _ in range(count)]

    def _given(self, stream: dict[str, Any]) -> dict[str, Any]:
        """A stream with its stride and the bytes of a frame."""
        width, height = stream["size"]
        planar = stream["format"] == "YUV420"
        align = ROW_ALIGNMENT[self.pi.platform]
        stride = -(-width * (1 if planar else 3) // align) * align
        rows = height * 3 // 2 if planar else height
        return stream | {"stride": stride, "framesize": rows * stride}

    def stream_configuration(self, name: str = "main") -> dict[str, Any]:
        """The stream as it was really configured."""
        stream: dict[str, Any] = self.pi.configuration[name]
        return stream

    def start(self) -> None:
        """Frames come from now on."""
        self._started = True

    def capture_request(self, wait: float | bool | None = None) -> Any:
        """The next request; ``wait=False``: a job that gets it.

        A job for which nobody waits stays in the queue and takes a request.
        """
        job = FakeJob(self)
        self._jobs.append(job)
        if wait is False:
            return job
        return job.get_result(None if wait is True else wait)

    def cancel_all_and_flush(self) -> None:
        """Each job that waits raises CancelledError; the queue is empty afterwards."""
        for job in self._jobs:
            job.cancelled = True
        self._jobs = []

    def serve(self) -> None:
        """Give the jobs what the sensor has, the oldest first."""
        while self._jobs and self._started and self._free and self.pi.frames_left != 0:
            if self.pi.frames_left is not None:
                self.pi.frames_left -= 1
            self._jobs.pop(0).request = self._next()

    def close(self) -> None:
        """Stop; every buffer is gone. Once more is harmless."""
        if not self.is_open:
            return
        self.is_open = self._started = False
        self.pi.closed += 1
        self.notifymeread.close()
        os.close(self.notifyme_w)
        del self.allocator
        self.allocator = FakeHeap(self.pi)

    def __del__(self) -> None:
        self.close()

    def _next(self) -> FakeRequest:
        lores, buffer = self.pi.configuration["lores"], self._free.pop(0)
        picture = self.pi.picture(self.pi.taken, lores["size"])
        store(picture, buffer, lores["format"], lores["stride"])
        self.pi.taken += 1
        self.pi.out += 1
        limits = self.pi.configuration["controls"]["FrameDurationLimits"]
        stamp = 10_000_000_000 + self.pi.taken * limits[0] * 1000
        return FakeRequest(buffer, lores, stamp, self._back)

    def _back(self, buffer: Pixels) -> None:
        buffer[:] = SPOILED
        self.pi.out -= 1
        self._free.append(buffer)


@dataclass(slots=True, eq=False)
class FakeJob:
    """As ``picamera2.job.Job``: what it is for may come long after it was asked for."""

    camera: FakePicamera2
    request: FakeRequest | None = None
    cancelled: bool = False

    def get_result(self, timeout: float | None = None) -> FakeRequest:
        """The request; TimeoutError without a text where none came in time."""
        pi = self.camera.pi
        late, pi.comes_late = pi.comes_late, False
        if not late:
            self.camera.serve()
        if self.request is not None:
            return self.request
        if self.cancelled:
            raise CancelledError
        if timeout is None:
            raise AssertionError("this would wait for ever")
        pi.waited_s += timeout
        if late:
            self.camera.serve()
        raise TimeoutError


@dataclass(slots=True)
class FakeRequest:
    """As much of ``CompletedRequest`` as the driver calls."""

    buffer: Pixels
    config: dict[str, Any]
    stamp: int
    back: Callable[[Pixels], None]
    references: int = 1

    def get_metadata(self) -> dict[str, Any]:
        """The time at which the sensor began the frame, in ns of CLOCK_MONOTONIC."""
        return {"SensorTimestamp": self.stamp, "ExposureTime": 8000}

    def release(self) -> None:
        """Give the buffer back, once."""
        self.references -= 1
        if self.references < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self.back(self.buffer)


class FakeMappedArray:
    """As ``picamera2.MappedArray``: a view of the buffer while the block lasts.

    ``write=False`` tells the kernel what is meant; the array can be written to.
    """

    def __init__(self, request: FakeRequest, stream: str, write: bool = True) -> None:
        if stream != "lores":
            raise RuntimeError(f"Stream {stream!r} is not defined")
        self._request = request
        self.array: Pixels | None = None

    def __enter__(self) -> FakeMappedArray:
        config, stride = self._request.config, self._request.config["stride"]
        width, height = config["size"]
        array: Pixels = self._request.buffer.reshape(-1, stride)
        if config["format"] != "YUV420":
            array = array[:, : width * 3].reshape(height, width, 3)
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
