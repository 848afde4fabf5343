"""The Raspberry Pi's cameras, through picamera2.

The image processor scales to the model's size on its own ("lores" stream): RGB on a
Pi 5, mapped without a copy; YUV 4:2:0 on a Pi 4 and older, converted here. The whole
sensor is seen, because a mode is asked for that halves it and crops nothing.

Written against picamera2 0.3.36 as its source reads, tested with the fake beside this
file; it has not run on a Pi yet.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from doorsill.drivers.camera import Camera, Size, content_size
from doorsill.drivers.yuv import YuvConverter
from doorsill.errors import CameraError, ConfigError
from doorsill.values import Frame, Pixels

DEFAULT_RATE = 12.5  # frames a second
BUFFERS = 4
SILENCE_S = 5.0  # a camera that delivers nothing for this long is gone
NS = 1e-9
# What picamera2 raises: IndexError where there is no camera, RuntimeError where it is
# busy or refuses a configuration, TimeoutError where frames stop.
FAILURES = (RuntimeError, IndexError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Library:
    """The part of picamera2 and libcamera that is used here."""

    open: Callable[[int], Any]  # picamera2.Picamera2
    mapped_array: Callable[..., Any]  # picamera2.MappedArray
    colour_space: Callable[[], Any]  # libcamera.ColorSpace.Smpte170m
    platform: str  # PISP: Pi 5; VC4: before


def open_picamera(
    source: str,
    fit: Size,
    *,
    frame_rate: float | None = None,
    library: Library | None = None,
) -> Camera:
    """Open camera number ``source`` (empty: 0); see ``open_camera``."""
    if source and not (source.isdecimal() and int(source) < 8):
        raise ConfigError(f"camera.source = {source!r} is not a camera number, 0 to 7")
    found = library or _import()
    try:
        camera = found.open(int(source or 0))
    except FAILURES as error:
        raise CameraError(f"camera {source or 0} cannot be opened: {error}") from error
    try:
        return PiCamera(camera, found, fit, frame_rate or DEFAULT_RATE)
    except FAILURES as error:
        camera.close()
        raise CameraError(f"camera {source or 0} cannot start: {error}") from error


class PiCamera:
    """A started camera; it lends one frame at a time."""

    def __init__(self, camera: Any, library: Library, fit: Size, rate: float) -> None:
        self._camera = camera
        self._mapped_array = library.mapped_array
        self._lent: tuple[Any, Any] | None = None  # the mapped array and its request
        rgb = library.platform == "PISP"
        size = _even(content_size(camera.sensor_resolution, fit))
        colour_space = library.colour_space()
        camera.configure(_configuration(camera, size, rate, rgb, colour_space))
        self._check(size, "BGR888" if rgb else "YUV420")
        self._converter = None if rgb else YuvConverter(size)
        camera.start()

    def read(self) -> Frame | None:
        """Wait for the next frame; the one before is taken back if it still is out."""
        self._take_back()
        try:
            request = self._camera.capture_request(wait=SILENCE_S)
            taken = request.get_metadata()["SensorTimestamp"] * NS
            mapped = self._mapped_array(request, "lores", write=False)
            pixels: Pixels = mapped.__enter__().array
        except FAILURES as error:
            reason = str(error) or "no frame in time"
            raise CameraError(f"the camera stopped: {reason}") from error

        self._lent = lent = (mapped, request)

        def give_back() -> None:
            if self._lent is lent:  # else it was taken back long ago
                self._take_back()

        if self._converter is None:
            return Frame(pixels, taken, give_back)
        frame = Frame(self._converter.convert(pixels), taken)
        self._take_back()
        return frame

    def close(self) -> None:
        """Stop the camera and let go of it."""
        self._take_back()
        self._camera.close()

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


def _configuration(
    camera: Any, size: Size, rate: float, rgb: bool, colour_space: Any
) -> Any:
    """lores at model size; main is twice that, unused, but demanded by the pipeline."""
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


def _even(size: Size) -> Size:
    return max(2, size[0] & ~1), max(2, size[1] & ~1)


def _import() -> Library:
    try:
        picamera2 = importlib.import_module("picamera2")
        libcamera = importlib.import_module("libcamera")
    except ImportError as error:
        raise ConfigError(
            "camera.driver = 'picamera' needs a Raspberry Pi with python3-picamera2"
            f" from apt, in a virtual environment with --system-site-packages: {error}"
        ) from error
    return Library(
        picamera2.Picamera2,
        picamera2.MappedArray,
        libcamera.ColorSpace.Smpte170m,
        picamera2.Picamera2.platform.name,
    )
