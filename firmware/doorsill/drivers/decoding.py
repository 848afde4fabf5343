"""FFmpeg behind two small parts: a source that decodes, a scaler that makes RGB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from doorsill.drivers.camera import Size, content_size
from doorsill.errors import CameraError
from doorsill.values import Pixels

LONGEST_SIDE = 8192  # pixels
DAMAGED_IN_A_ROW = 50  # packets that a live source may lose before it counts as gone


class Source:
    """One video stream, frame by frame; whatever goes wrong is a CameraError.

    ``strict`` is for recordings: the first damaged frame is an error. A live source may
    lose some and go on.
    """

    def __init__(
        self,
        url: str,
        *,
        strict: bool,
        threads: int = 1,
        timeout_s: float | None = None,
        **how: Any,
    ) -> None:
        self.name = short_name(url)
        self.count = 0  # frames so far
        self.stamp: float | None = None  # s, of the last frame
        self.first: float | None = None  # s, of the first frame
        self._strict = strict
        try:
            self.container: Any = av.open(url, timeout=timeout_s, **how)
        except (av.FFmpegError, ValueError) as error:
            raise CameraError(f"{self.name} cannot be opened: {_why(error)}") from error
        self.stream = self._video_stream()
        self.stream.codec_context.thread_count = threads
        self.stream.thread_type = "AUTO" if threads > 1 else "SLICE"
        self._frames: Iterator[Any] = self.container.decode(self.stream)

    @property
    def interval(self) -> float:
        """Seconds from frame to frame as the source declares it, or 1/25."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(1 / rate) if rate else 0.04

    @property
    def pixel_aspect(self) -> float:
        """Width of a stored pixel / its height; 1 where nothing sensible is said."""
        ratio = float(self.stream.codec_context.sample_aspect_ratio or 1)
        return ratio if 0.1 < ratio < 10 else 1.0

    def next(self) -> Any | None:
        """The next decoded frame, its time in ``stamp``; None at the end."""
        damaged = 0
        while True:
            try:
                frame = next(self._frames, None)
            except av.FFmpegError as error:
                damaged += 1
                lost = isinstance(error, av.error.InvalidDataError)
                if self._strict or not lost or damaged > DAMAGED_IN_A_ROW:
                    word = "is damaged" if lost else "stopped"
                    raise CameraError(self._broken(word, _why(error))) from error
                self._frames = self.container.decode(self.stream)
                continue
            if frame is None:
                return None
            if frame.is_corrupt and self._strict:
                raise CameraError(self._broken("is damaged", "an incomplete frame"))
            self._note(frame)
            return frame

    def where(self) -> str:
        """How far it got, for people."""
        seconds = (self.stamp or 0.0) - (self.first or 0.0)
        return f"after frame {self.count} ({seconds:.1f} s)"

    def close(self) -> None:
        """Let go of the file, the connection or the device."""
        self.container.close()

    def _note(self, frame: Any) -> None:
        stamp = frame.time
        if self.stamp is None:
            self.stamp = self.first = 0.0 if stamp is None else float(stamp)
        elif stamp is None or stamp <= self.stamp:
            self.stamp += self.interval  # no stamp, or one that goes back
        else:
            self.stamp = float(stamp)
        self.count += 1

    def _video_stream(self) -> Any:
        streams = self.container.streams.video
        if not streams:
            self.container.close()
            raise CameraError(f"{self.name} holds no video")
        width, height = streams[0].width, streams[0].height
        if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE):
            self.container.close()
            size = f"{width}x{height}"
            limit = f"1 to {LONGEST_SIDE} pixels a side are possible"
            raise CameraError(f"{self.name} is {size}; {limit}")
        return streams[0]

    def _broken(self, word: str, reason: str) -> str:
        return f"{self.name} {word} {self.where()}: {reason}"


class Scaler:
    """Scales and converts in one pass; the result is a view of libswscale's buffer."""

    def __init__(self, fit: Size, pixel_aspect: float = 1.0) -> None:
        """``pixel_aspect``: width of a stored pixel / its height."""
        self._fit = fit
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()

    def pixels(self, frame: Any) -> Pixels:
        """(height, width, 3) uint8 RGB, upright, aspect kept, inside ``fit``."""
        turns = round(frame.rotation / 90) % 4  # counter-clockwise
        fit = self._fit if turns % 2 == 0 else (self._fit[1], self._fit[0])
        shape = (frame.width * self._pixel_aspect, frame.height)
        width, height = content_size(shape, fit)
        scaled = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1
        )
        plane = scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        pixels = rows[:height, : width * 3].reshape(height, width, 3)
        return np.rot90(pixels, turns) if turns else pixels


def short_name(url: str) -> str:
    """The last part of a path; an address without user, password and query.

    A device keeps its whole path.
    """
    if url.startswith("/dev/"):
        return url
    if "://" not in url:
        return url.rsplit("/", 1)[-1] or url
    scheme, rest = url.split("://", 1)
    return f"{scheme}://{rest.split('?')[0].rsplit('@', 1)[-1]}"


def _why(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error)
