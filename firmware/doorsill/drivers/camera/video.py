"""Recordings, network cameras and webcams.

A recording that is cut short or damaged raises a CameraError that says where. What
cannot be known is not claimed: a transport stream has no end mark, and damage inside a
slice that the decoder conceals looks like a bad picture.
"""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from doorsill.drivers.camera.camera import Camera, Size
from doorsill.drivers.camera.decoding import ADDRESSES, Source
from doorsill.drivers.camera.pace import LATE_S, FrameRate, SourceClock
from doorsill.drivers.camera.unfinished import is_unfinished
from doorsill.drivers.camera.upright import Scaler
from doorsill.drivers.nodes import camera_node, is_device
from doorsill.errors import CameraError, ConfigError
from doorsill.values import Frame

DEVICE_STEPS = {  # what to do first, by errno
    errno.ENOENT: "no camera is attached there; `ls /dev/video*` shows those that are",
    errno.EACCES: "let this user join the group video",
    errno.EBUSY: "another program uses this camera; end it",
    errno.ENOTTY: "this is no camera",
    errno.ENODEV: "this camera is gone; plug it in again",
    errno.ENXIO: "this camera is gone; plug it in again",
}
SILENCE_S = 10.0  # a network camera that sends nothing for this long is gone
MISSING_S = 1.0  # a recording may end this much before its declared length
BLIND_S = 1.0  # even a machine that is too slow gets a frame this often
GIF_TRAILER = b";"  # the last byte of a GIF


def open_video(
    source: str,
    fit: Size,
    *,
    frame_rate: float | None = None,
    declared_rate: float | None = None,
    live: bool = False,
) -> Camera:
    """Open a file, ``rtsp://…`` or ``/dev/video…``; as ``open_camera``."""
    if source.startswith(ADDRESSES):
        options = {"rtsp_transport": "tcp"}
        found = Source(source, strict=False, timeout_s=SILENCE_S, options=options)
        return LiveVideo(found, fit, frame_rate)
    # At a desk a recording may lie in /dev/shm; a device opens cameras there alone.
    if is_device(source) and (live or not Path(source).is_file()):
        return LiveVideo(_webcam(source, frame_rate), fit, frame_rate)
    if "://" in source and not Path(source).is_file():
        known = "a file, rtsp://, rtsps:// and /dev/video0 are"
        raise ConfigError(f"the source {source!r} is not possible; {known}")
    return open_recording(
        source, fit, frame_rate=frame_rate, declared_rate=declared_rate, live=live
    )


def _webcam(source: str, frame_rate: float | None) -> Source:
    options = {} if frame_rate is None else {"framerate": f"{frame_rate:g}"}
    camera_node(source)
    try:
        return Source(source, strict=False, format="v4l2", options=options)
    except CameraError as error:
        number = getattr(error.__cause__, "errno", 0)
        step = DEVICE_STEPS.get(number)
        if number == errno.EACCES and os.access(source, os.R_OK | os.W_OK):
            step = "it came after this process confined itself; a new one opens it"
        raise CameraError(f"{error}: {step}" if step else str(error)) from error


def open_recording(
    source: str,
    fit: Size,
    *,
    frame_rate: float | None = None,
    declared_rate: float | None = None,
    live: bool = False,
    begins: float | None = None,
) -> Recording:
    """Open a file; with ``live`` it is delivered at the pace of the clock.

    ``declared_rate``, in frames a second, stands for the times of its pictures, if the
    file does not give them. ``begins`` is the time of its first frame, s: if None, 0,
    or now when live. Raises ConfigError where there is no such file, CameraError where
    it is empty or cannot be read.
    """
    path = Path(source)
    if not path.is_file():
        why = "is not a file" if path.exists() else "does not exist"
        raise ConfigError(f"the recording {source!r} {why}")
    if path.stat().st_size == 0:
        raise CameraError(f"{path.name} is empty: 0 bytes")
    try:
        found = Source(source, strict=True, rate=declared_rate)
    except CameraError as error:
        if is_unfinished(path):
            why = "it was never finished: it has no index (moov)"
            raise CameraError(f"{path.name} cannot be opened: {why}") from error
        raise
    rate = FrameRate(frame_rate)
    return Recording(path, found, fit, rate, live=live, begins=begins)


class LiveVideo:
    """A source that never ends by itself; frames that waited too long are left out."""

    def __init__(self, source: Source, fit: Size, frame_rate: float | None) -> None:
        self._source = source
        self._scaler = Scaler(
            fit, source.pixel_aspect, fields_apart=source.fields_apart
        )
        self._rate = FrameRate(frame_rate)
        self._clock = SourceClock()
        self._time = float("-inf")  # of the last delivered frame, s

    def read(self) -> Frame | None:
        """The next frame; its time is when it was taken, on our clock."""
        while (frame := self._source.next()) is not None:
            now = time.monotonic()
            taken = self._clock.time(self._source.stamp or 0.0, now)
            late = now - taken > LATE_S and now - self._time < BLIND_S
            if late or taken <= self._time or not self._rate.takes(taken):
                continue
            self._time = taken
            return Frame(self._scaler.pixels(frame), taken)
        raise CameraError(f"{self._source.name} ended {self._source.where()}")

    def close(self) -> None:
        """Close the connection or the device."""
        self._source.close()


class Recording:
    """A file, from its first frame to its declared end.

    Unless live, a thread decodes one frame while the caller works on the one before.
    """

    def __init__(
        self,
        path: Path,
        source: Source,
        fit: Size,
        rate: FrameRate,
        *,
        live: bool,
        begins: float | None,
    ) -> None:
        self._path = path
        self._source = source
        self._scaler = Scaler(
            fit, source.pixel_aspect, fields_apart=source.fields_apart
        )
        self._rate = rate
        self._live = live
        self._origin = begins  # the time of stamp 0, s
        self._seen = 0.0  # stamp of the last delivered frame, s
        self._pool = None if live else ThreadPoolExecutor(1, "decoding")
        self._ahead: Future[Any] | None = None  # the frame that is decoded meanwhile

    def read(self) -> Frame | None:
        """The next frame; its time is the recording's own, or our clock's when live."""
        while True:
            frame, stamp = self._next()
            if frame is None:
                break
            if not self._rate.takes(stamp):
                continue
            due = self._due(stamp) if self._live else stamp + (self._origin or 0.0)
            if due is not None:
                self._seen = stamp
                return Frame(self._scaler.pixels(frame), due)
        self._check_complete()
        return None

    @property
    def duration(self) -> float | None:
        """Seconds that the file says it holds; None where it does not say."""
        return self._source.length

    @property
    def stored(self) -> Size:
        """Width and height of a picture in the file, pixels."""
        return self._source.stream.width, self._source.stream.height

    def close(self) -> None:
        """Let go of the file."""
        if self._pool is not None:
            self._pool.shutdown()
        self._source.close()

    def _next(self) -> tuple[Any | None, float]:
        """The next decoded frame, and when it was taken, s; None at the end."""
        if self._pool is None:
            return self._source.next(), self._stamp
        if self._ahead is None:
            self._ahead = self._pool.submit(self._source.next)
        frame, stamp = self._ahead.result(), self._stamp
        if frame is not None:
            self._ahead = self._pool.submit(self._source.next)
        return frame, stamp

    @property
    def _stamp(self) -> float:
        """When the newest decoded frame was taken, s since the first."""
        return (self._source.stamp or 0.0) - (self._source.first or 0.0)

    def _due(self, stamp: float) -> float | None:
        """Wait until the frame is due; None when it is too late for it."""
        now = time.monotonic()
        if self._origin is None:
            self._origin = now - stamp
        late = now - self._origin - stamp
        if late > LATE_S:
            if stamp - self._seen < BLIND_S:
                return None
            self._origin += late  # too slow for this recording: go on from here
        if late < 0:
            time.sleep(-late)
        return self._origin + stamp

    def _check_complete(self) -> None:
        source = self._source
        if source.count == 0:
            raise CameraError(f"{source.name} holds no frame")
        if source.missing > MISSING_S:
            raise CameraError(
                f"{source.name} is cut short {source.where()}: "
                f"{source.length:.1f} s declared"
            )
        if source.container.format.name == "gif" and not _ends_as_gif(self._path):
            raise CameraError(
                f"{source.name} is cut short {source.where()}: no end mark"
            )


def _ends_as_gif(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-min(1024, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return file.read().rstrip(b"\0\r\n").endswith(GIF_TRAILER)
