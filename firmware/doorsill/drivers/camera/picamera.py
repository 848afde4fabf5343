"""The Raspberry Pi's cameras, through picamera2.

The image processor scales to the model's size on its own ("lores" stream): RGB on a
Pi 5, mapped without a copy; YUV 4:2:0 on a Pi 4 and older, converted here. The whole
sensor is seen, because a mode is asked for that halves it and crops nothing.

Written against the source of picamera2 0.3.36 and 0.3.38, run once with 0.3.38
on libcamera's virtual camera, and tested with the fake beside this file; it has not run
on a Pi yet.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from concurrent.futures import CancelledError
from typing import Any

from doorsill.drivers.camera.camera import Camera, Size, content_size
from doorsill.drivers.camera.picamera_library import Library, find_library
from doorsill.drivers.camera.yuv import YuvConverter
from doorsill.errors import CameraError, ConfigError
from doorsill.values import Frame, Pixels

log = logging.getLogger(__name__)

DEFAULT_RATE = 12.5  # frames a second
BUFFERS = 4  # of the camera
SILENCE_S = 5.0  # a camera that delivers nothing for this long is gone
SETTLE_S = 0.5  # for picamera2's own thread to finish what it began
NS = 1e-9  # seconds in a nanosecond
# What picamera2 raises: RuntimeError where there is no camera, where it is busy or
# refuses a configuration, TimeoutError (an OSError) where frames stop, LookupError
# where libcamera leaves something out, ValueError for what it does not know.
FAILURES = (RuntimeError, OSError, LookupError, ValueError)
BUSY = "Device or resource busy"


def open_picamera(
    source: str,
    fit: Size,
    *,
    frame_rate: float | None = None,
    library: Library | None = None,
) -> Camera:
    """Open camera number ``source`` (empty: 0); as ``open_camera``."""
    if source and not (source.isdecimal() and int(source) < 8):
        raise ConfigError(f"camera.source = {source!r} is not a camera number, 0 to 7")
    found, number = library or find_library(), int(source or 0)
    camera = _open(found, number)
    try:
        return PiCamera(camera, found, fit, frame_rate or DEFAULT_RATE)
    except FAILURES as error:
        close_fully(camera)
        raise CameraError(f"camera {number} cannot start: {_why(error)}") from error


class PiCamera:
    """A started camera; it lends one frame at a time."""

    def __init__(self, camera: Any, library: Library, fit: Size, rate: float) -> None:
        self._camera = camera
        self._mapped_array = library.mapped_array
        self._lent: tuple[Any, Any] | None = None  # the mapped array and its request
        rgb = library.platform == "PISP"
        size = _make_even(content_size(camera.sensor_resolution, fit))
        colour_space = library.colour_space()
        camera.configure(configuration_of(camera, size, rate, rgb, colour_space))
        self._check(size, "BGR888" if rgb else "YUV420")
        self._converter = None if rgb else YuvConverter(size)
        camera.start()

    def read(self) -> Frame | None:
        """Wait for the next frame; the one before is taken back if it is still lent."""
        self._take_back()
        try:
            request = self._next_request()
            taken, pixels = self._lend(request)
        except FAILURES as error:
            raise CameraError(f"the camera stopped: {_why(error)}") from error
        lent = self._lent

        def give_back() -> None:
            if self._lent is lent:  # otherwise it was taken back before
                self._take_back()

        if self._converter is None:
            return Frame(pixels, taken, give_back)
        frame = Frame(self._converter.convert(pixels), taken)
        self._take_back()
        return frame

    def close(self) -> None:
        """Stop the camera and let go of it."""
        if self._camera is not None:
            self._take_back()
            camera, self._camera = self._camera, None
            close_fully(camera)

    def _next_request(self) -> Any:
        if self._camera is None:
            raise RuntimeError("it is closed")
        job = self._camera.capture_request(wait=False)
        try:
            return job.get_result(timeout=SILENCE_S)
        except TimeoutError:
            self._forget(job)
            raise RuntimeError(f"no frame within {SILENCE_S:g} s") from None

    def _forget(self, job: Any) -> None:
        """Cancel ``job``, for which nobody waits: it would keep the next buffer."""
        self._camera.cancel_all_and_flush()
        with contextlib.suppress(CancelledError, TimeoutError):
            job.get_result(timeout=SETTLE_S).release()  # it came just now

    def _lend(self, request: Any) -> tuple[float, Pixels]:
        """When a request's picture was taken, and its pixels, which it still owns."""
        try:
            taken = request.get_metadata()["SensorTimestamp"] * NS
            mapped = self._mapped_array(request, "lores", write=False)
            pixels: Pixels = mapped.__enter__().array
        except FAILURES:
            request.release()
            raise
        pixels.flags.writeable = False  # picamera2 leaves it writeable all the same
        self._lent = mapped, request
        return taken, pixels

    def _take_back(self) -> None:
        if self._lent is not None:
            (mapped, request), self._lent = self._lent, None
            mapped.__exit__(None, None, None)
            request.release()

    def _check(self, size: Size, format_: str) -> None:
        given = self._camera.stream_configuration("lores")
        if tuple(given["size"]) != size or given["format"] != format_:
            (width, height), got = given["size"], given["format"]
            raise RuntimeError(
                f"it gives {width}x{height} {got} where"
                f" {size[0]}x{size[1]} {format_} was asked for"
            )


def configuration_of(
    camera: Any, size: Size, rate: float, rgb: bool, colour_space: Any
) -> Any:
    """What is asked of a camera for ``rate`` frames a second, as R, G, B or YUV 4:2:0.

    lores has ``size``, that of the model; main is twice that, unused, but the pipeline
    demands it.
    """
    whole = camera.sensor_resolution
    duration = round(1e6 / rate)  # µs
    return camera.create_video_configuration(
        main={"size": (size[0] * 2, size[1] * 2), "format": "YUV420"},
        # In memory "BGR888" is R, G, B and "RGB888" is B, G, R.
        lores={"size": size, "format": "BGR888" if rgb else "YUV420"},
        raw=None,
        sensor={"output_size": (whole[0] // 2, whole[1] // 2), "bit_depth": 10},
        colour_space=colour_space,
        buffer_count=BUFFERS,
        queue=False,  # a frame that began after it was asked for
        display=None,
        encode=None,
        controls={"FrameDurationLimits": (duration, duration)},
    )


def _make_even(size: Size) -> Size:
    return max(2, size[0] & ~1), max(2, size[1] & ~1)


def _open(library: Library, number: int) -> Any:
    """An open camera; one that does not open leaves no descriptor behind."""
    kind: Any = library.open
    camera = kind.__new__(kind)
    try:
        kind.__init__(camera, number)
    except FAILURES as error:
        close_fully(camera)
        said = _why(error)
        step = "; another program uses it: end that program" if BUSY in said else ""
        sentence = f"camera {number} cannot be opened: {said}{step}"
        raise CameraError(sentence) from error
    return camera


def close_fully(camera: Any) -> None:
    """Close ``camera`` as far as possible, and what picamera2 leaves open.

    That is its pipe, where it failed before it opened a camera, and a heap of buffers,
    which it opens again while it closes.
    """
    try:
        camera.close()
    except FAILURES as error:
        log.warning("the camera does not close: %s", _why(error))
    camera.allocator = None
    bell = getattr(camera, "notifymeread", None)
    if bell is not None and not bell.closed:
        bell.close()
        os.close(camera.notifyme_w)
    gc.collect()  # its parts know each other, and each holds descriptors


def _why(error: BaseException) -> str:
    """What an error and its causes say, outermost first."""
    said: list[str] = []
    link: BaseException | None = error
    while link is not None:
        text = str(link).strip().rstrip(".")
        if text and text not in said:
            said.append(text)
        link = link.__cause__
    return ": ".join(said) or type(error).__name__
