"""FFmpeg as a source of decoded frames with their times; ``upright`` makes RGB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.format import Flags
from av.stream import Disposition

from doorsill.drivers.nodes import is_device
from doorsill.errors import CameraError, ConfigError

LONGEST_SIDE = 8192  # of a picture, pixels
LEAST_RATE = 0.5  # frames a second; no camera is slower
MOST_RATE = 480.0  # frames a second; no camera is faster
ADDRESSES = ("rtsp://", "rtsps://")  # of network cameras
DEFAULT = Disposition.default
DEFAULT_IS_WORTH = 5_000_000  # a stream marked as the default counts as so many pixels
STILLS = Disposition.attached_pic | Disposition.timed_thumbnails
# What a recorder or a tap cuts anywhere: its first pictures may refer to missing ones.
CUT_ANYWHERE = frozenset({"mpegts", "mpeg", "h264", "hevc", "mpegvideo", "m4v"})
DAMAGED_IN_A_ROW = 50  # packets that a live source may lose before it counts as gone


class Source:
    """One video stream, frame by frame; everything that goes wrong is a CameraError.

    ``strict`` is for recordings: the first damaged frame is an error. A live source may
    lose some and go on. ``rate``, in frames a second, is for a recording that does not
    say when its pictures were taken, or says it wrongly.
    """

    def __init__(
        self,
        url: str,
        *,
        strict: bool,
        timeout_s: float | None = None,
        rate: float | None = None,
        **how: Any,
    ) -> None:
        self.name = short_name(url)
        self.count = 0  # frames so far
        self.stamp: float | None = None  # of the last frame, s
        self.first: float | None = None  # of the first frame, s
        self._ends = 0.0  # when the last picture that was read is over, s
        self._all_ends = 0.0  # when the last of anything is over: sound goes on, s
        self._strict = strict
        try:
            self.container: Any = av.open(_address(url), timeout=timeout_s, **how)
        except (av.FFmpegError, ValueError) as error:
            raise CameraError(f"{self.name} cannot be opened: {_why(error)}") from error
        try:
            self.stream = self._video_stream()
            self._every = self._seconds_apart(rate)
        except (CameraError, ConfigError):
            self.container.close()
            raise
        # With a thread for each frame, FFmpeg copies the mark of a damaged frame before
        # it knows of the damage, now and then.
        self.stream.codec_context.thread_count = 1
        self._frames: Iterator[Any] = self._decode()
        # Both are fractions, which cost more a frame than anything else here.
        rate = self.stream.average_rate or self.stream.guessed_rate
        declared = float(1 / rate) if rate else 0.04
        self.interval = (
            self._every or declared
        )  # from frame to frame, s; 1/25 if unknown
        # Units of the stamps, by stream, s; one that begins later has none here.
        streams = self.container.streams
        self._ticks = {each.index: float(each.time_base or 0) for each in streams}

    @property
    def pixel_aspect(self) -> float:
        """Width of a stored pixel / its height; 1 where the file says nothing sensible.

        What the container says goes before what the codec says, as in every player.
        """
        said = self.stream.sample_aspect_ratio
        ratio = float(said or self.stream.codec_context.sample_aspect_ratio or 1)
        return ratio if 0.1 < ratio < 10 else 1.0

    @property
    def fields_apart(self) -> bool:
        """Whether each frame that is marked as interlaced is one field, half as high.

        HEVC has no other interlaced pictures (H.265, D.3.3), and FFmpeg does not weave
        them.
        """
        return bool(self.stream.codec_context.name == "hevc")

    @property
    def length(self) -> float | None:
        """Seconds of video that the file says it holds; None where it does not say."""
        stream, container = self.stream, self.container
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return float(container.duration) / 1e6 if container.duration else None

    @property
    def missing(self) -> float:
        """Seconds from the end of what was read to the end that the file declares.

        Where it declares one end for picture and sound together, both are looked at: of
        a file that is cut short neither gets there. 0 where it declares none.
        """
        length, stream = self.length, self.stream
        if length is None or self._every is not None:
            return 0.0
        if stream.duration and stream.time_base:
            start = float((stream.start_time or 0) * stream.time_base)
            return start + length - self._ends
        start = float(self.container.start_time or 0) / 1e6
        if "matroska" in self.container.format.name:
            start = 0.0  # its duration is the time of its end
        return start + length - max(self._ends, self._all_ends)

    def next(self) -> Any | None:
        """The next decoded frame, its time in ``stamp``; None at the end.

        Raises CameraError where the stream is damaged or stops.
        """
        damaged = 0
        while True:
            try:
                frame = next(self._frames, None)
            except av.FFmpegError as error:
                damaged += 1
                lost = isinstance(error, av.error.InvalidDataError)
                if not (lost and self._may_lose(damaged)):
                    word = "is damaged" if lost else "stopped"
                    raise CameraError(self._sentence(word, _why(error))) from error
                self._frames = self._decode()
                continue
            if frame is None:
                return None
            if frame.is_corrupt and self._strict:
                damaged += 1
                if self._may_lose(damaged):
                    continue
                raise CameraError(self._sentence("is damaged", "an incomplete frame"))
            self._note(frame)
            return frame

    def where(self) -> str:
        """How far it was read, in words for people."""
        seconds = (self.stamp or 0.0) - (self.first or 0.0)
        return f"after frame {self.count} ({seconds:.1f} s)"

    def close(self) -> None:
        """Let go of the file, the connection or the device."""
        self.container.close()

    def _decode(self) -> Iterator[Any]:
        """Frames as they come. How long a picture lasts stands in its packet alone.

        A packet without a byte says that the picture before is still shown.
        """
        for packet in self.container.demux():
            ours = packet.stream is self.stream
            if packet.pts is not None and packet.duration:
                tick = self._ticks.get(packet.stream_index, 0.0)
                over = (packet.pts + packet.duration) * tick
                self._all_ends = max(self._all_ends, over)
                self._ends = max(self._ends, over) if ours else self._ends
            if ours and (packet.size or packet.dts is None):
                yield from packet.decode()

    def _may_lose(self, damaged: int) -> bool:
        """Whether one more damaged packet, the ``damaged``-th in a row, may be lost."""
        if damaged > DAMAGED_IN_A_ROW:
            return False
        between_keys = self.count == 0 and self.container.format.name in CUT_ANYWHERE
        return between_keys or not self._strict

    def _note(self, frame: Any) -> None:
        stamp = self.count * self._every if self._every is not None else frame.time
        if self.stamp is None:
            self.stamp = self.first = 0.0 if stamp is None else float(stamp)
        elif stamp is None or stamp <= self.stamp:
            self.stamp += self.interval  # no stamp, or one that goes back
        else:
            self.stamp = float(stamp)
        self._ends = max(self._ends, self.stamp + self.interval)
        self.count += 1

    def _video_stream(self) -> Any:
        streams = self.container.streams
        moving = [each for each in streams.video if not each.disposition & STILLS]
        if not moving:
            what = "only a still picture" if streams.video else "no video"
            raise CameraError(f"{self.name} holds {what}")
        best = streams.best("video")
        best = best if best in moving else moving[0]
        # Of a camera's main and sub stream in one file, FFmpeg's library takes any.
        alike = [each for each in moving if _codec(each) == _codec(best) is not None]
        chosen = max([each for each in alike if each.frames != 1] or [best], key=_worth)
        # Where FFmpeg does not know the codec, the library gives no size at all.
        width, height = (getattr(chosen, side, 0) for side in ("width", "height"))
        if chosen.codec_context is None:
            raise CameraError(f"{self.name} is in a codec that is not known here")
        if not width or not height:
            kind = self.container.format.name
            raise CameraError(f"{self.name} holds no picture that can be read ({kind})")
        if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE):
            size = f"{width}x{height}"
            limit = f"1 to {LONGEST_SIDE} pixels a side are possible"
            raise CameraError(f"{self.name} is {size}; {limit}")
        return chosen

    def _seconds_apart(self, rate: float | None) -> float | None:
        """Seconds between frames where the container has no stamps; else None.

        FFmpeg stamps the frames of a raw stream as if there were 25 a second.
        """
        if rate is not None:
            return 1 / rate
        kind = self.container.format
        if not (kind.flags & Flags.no_timestamps.value or kind.name.endswith("_pipe")):
            return None
        declared = float(self.stream.codec_context.framerate or 0)
        if LEAST_RATE <= declared <= MOST_RATE:
            return 1 / declared
        said = f"{declared:g} frames a second" if declared else "no frame rate"
        raise ConfigError(
            f"{self.name} declares {said}, so nobody knows when its pictures were "
            "taken; say how many there are a second, such as `--frame-rate 12.5`"
        )

    def _sentence(self, word: str, reason: str) -> str:
        return f"{self.name} {word} {self.where()}: {reason}"


def _codec(stream: Any) -> str | None:
    context = stream.codec_context
    return None if context is None else str(context.name)


def _worth(stream: Any) -> int:
    """Of several video streams, what makes one the best, as FFmpeg's program chooses.

    It goes by the number of pixels, and one that is marked as the default is worth
    five million more.
    """
    pixels = getattr(stream, "width", 0) * getattr(stream, "height", 0)
    return pixels + DEFAULT_IS_WORTH * bool(stream.disposition & DEFAULT)


def _address(url: str) -> str:
    """What FFmpeg is asked for: a path is a file, even if it has a colon."""
    plain = url.startswith(ADDRESSES) or is_device(url)
    return f"file:{url}" if not plain or Path(url).is_file() else url


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
