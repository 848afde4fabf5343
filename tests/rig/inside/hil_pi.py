"""picamera2 on libcamera's virtual camera: for the virtual Pi, in the guest alone.

What a Pi has and the guest has not is put in its place, and nothing else:

* a raw stream (sensor modes): one invented mode of the size of the picture;
* ``/dev/dma_heap``: buffers from ``/dev/udmabuf``;
* single-plane YUV 4:2:0 of the image processor: the virtual camera gives NV12, which is
  rearranged where picamera2 maps a buffer;
* a clock: the virtual camera completes a request at once and knows no rate. Pictures
  come at the rate that was asked for, but no faster than an emulated processor can
  follow, with the time of their handing over; while the
  file CLIP is there, each picture in order, as fast as it is taken, at the clip's time.

``picamera2/__init__.py`` of the guest's layer ends with one line that takes PacedPi and
Planar from here.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libcamera
import numpy as np
from picamera2.allocators import dmaallocator
from picamera2.dma_heap import UniqueFD
from picamera2.picamera2 import Picamera2
from picamera2.request import CompletedRequest, MappedArray

UDMABUF_CREATE = 0x40187542
F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
PAGE = 4096  # bytes
NODES = ("/dev/dma_heap/udmabuf", "/dev/udmabuf")
CLIP = Path(__file__).with_name("hil_clip")  # holds the clip's ns from frame to frame
STALL = CLIP.with_name("hil_stall")  # while it is there no frame is given

REPEATED = 4  # requests in a row get one picture: libcamera's image_frame_generator
LEAST_STEP_S = 0.7  # between two paced pictures: one processor of two is for the rest
WITHIN_S = 30.0  # for a request that the virtual camera completes at once
numbers = itertools.count()


class UdmabufHeap:
    """As ``picamera2.dma_heap.DmaHeap``, from /dev/udmabuf."""

    def __init__(self) -> None:
        node = next(each for each in NODES if Path(each).exists())
        self._device = os.open(node, os.O_RDWR | os.O_CLOEXEC)

    def alloc(self, name: str, size: int) -> Any:
        """A buffer of at least ``size`` bytes."""
        size = -(-size // PAGE) * PAGE
        memory = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        fcntl.fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK)
        asked = bytearray(struct.pack("IIQQ", memory, 1, 0, size))
        found = fcntl.ioctl(self._device, UDMABUF_CREATE, asked, True)
        os.close(memory)
        return UniqueFD(found)

    def close(self) -> None:
        """Let go of the device."""
        os.close(self._device)


dmaallocator.DmaHeap = UdmabufHeap


def _planes(first: Any, stream: Any) -> list[Any]:
    """NV12 has two planes; picamera2 gives one. The first keeps its descriptor."""
    luma = stream.stride * stream.size.height
    first.length = luma
    second = libcamera.FrameBuffer.Plane()
    second.fd, second.offset, second.length = first.fd, luma, luma // 2
    return [first, second]


class Allocator(dmaallocator.DmaAllocator):
    """Buffers of two planes, where picamera2 makes them of one."""

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:
        """As picamera2's."""
        real = libcamera.FrameBuffer
        streams: list[Any] = []

        class FrameBuffer:
            Plane = real.Plane

            def __new__(cls, plane: Any) -> Any:
                return real(_planes(plane[0], streams[-1]))

        def each() -> Iterator[Any]:
            for stream in libcamera_config:
                streams.append(stream)
                yield stream

        dmaallocator.libcamera = type("libcamera", (), {"FrameBuffer": FrameBuffer})
        super().allocate(each(), use_case)


def _number(self: Any, *given: Any) -> None:
    """In the order in which libcamera completed them: that of the pictures."""
    _made(self, *given)
    self.hil_number = next(numbers)


def _metadata(self: Any) -> Any:
    """The time of the clip, or that at which a paced picture is handed over."""
    found = _said(self)
    if CLIP.exists():
        picture = self.hil_number // REPEATED
        found["SensorTimestamp"] = (picture + 1) * int(CLIP.read_text())
    else:
        found["SensorTimestamp"] = time.monotonic_ns()
    return found


_made, _said = CompletedRequest.__init__, CompletedRequest.get_metadata
CompletedRequest.__init__, CompletedRequest.get_metadata = _number, _metadata


class Planar(MappedArray):
    """NV12 as the YUV 4:2:0 that was asked for; a copy, where a Pi gives the buffer."""

    @property
    def array(self) -> Any:
        """Rows of luma, then the two planes of chroma."""
        both = super().array
        if both is None:
            return None
        height, stride = both.shape[0] * 2 // 3, both.shape[1]
        out = np.empty_like(both)
        out[:height] = both[:height]
        chroma = out[height:].reshape(2, height // 2, stride // 2)
        pairs = both[height:].reshape(height // 2, stride // 2, 2)
        chroma[0], chroma[1] = pairs[..., 0], pairs[..., 1]
        return out


class PacedPi(Picamera2):
    """The virtual camera with one sensor mode and a rate."""

    def __init__(self, number: int = 0) -> None:
        super().__init__(number, allocator=Allocator())

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        area = self.camera_properties_["PixelArrayActiveAreas"][0]
        return [{"format": "SBGGR10", "size": (area[2], area[3])}]

    def configure(self, camera_config: Any = None) -> None:
        """As picamera2; a request stays until it is asked for, so none is lost."""
        global numbers
        super().configure(camera_config)
        numbers = itertools.count()
        for name in ("main", "lores"):
            self.camera_config[name]["format"] = "YUV420"
        self._max_queue_len = 1 << 10
        limits = self.camera_config["controls"].get("FrameDurationLimits", (80000, 0))
        self._step_s, self._due = max(limits[0] / 1e6, LEAST_STEP_S), 0.0

    def capture_request(self, wait: Any = None, **more: Any) -> Any:
        """The next one, not before its time and not while the camera is stalled."""
        if STALL.exists():
            return Stalled()
        if not CLIP.exists():
            time.sleep(max(0.0, self._due - time.monotonic()))
            self._due = time.monotonic() + self._step_s
        while True:  # each picture once
            request = super().capture_request(wait=WITHIN_S, **more)
            if request.hil_number % REPEATED == 0:
                return Ready(request) if wait is False else request
            request.release()


class Ready:
    """A job that is done."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def get_result(self, timeout: float | None = None) -> Any:
        """The request."""
        return self._request


class Stalled:
    """A job for which no frame comes, as when the cable is loose."""

    def get_result(self, timeout: float | None = None) -> Any:
        """Nothing within ``timeout`` s."""
        time.sleep(timeout or 0.0)
        raise TimeoutError
