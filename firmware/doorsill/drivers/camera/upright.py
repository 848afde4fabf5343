"""From a decoded frame to the picture that a player shows, scaled for the model.

    stored frame ─► one field, where two ─► pixels made ─► turned and ─► RGB inside
                    are woven together      square         mirrored      ``fit``

What a file says about its pictures stands in three places: the aspect of a pixel in the
container and the codec, the interlacing in each frame, and a display matrix (ISO/IEC
14496-12, 8.5.2: ``tkhd``; H.264 display orientation) beside each frame.
"""

from __future__ import annotations

import gc
import itertools
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import Interpolation, VideoReformatter

from doorsill.drivers.camera.camera import Size, content_size
from doorsill.errors import CameraError
from doorsill.values import Pixels

SAME_SHAPE = 0.03  # pictures whose aspects differ by this share at most are one view
MATRIX = "DISPLAYMATRIX"  # FFmpeg's name of the side data


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is shown: rows and columns swapped first, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def turn(self, pixels: Pixels) -> Pixels:
        """A view of ``pixels``, (height, width, 3), as it is shown."""
        if self.transpose:
            pixels = pixels.swapaxes(0, 1)
        columns, rows = -1 if self.flip_x else 1, -1 if self.flip_y else 1
        return pixels if columns == rows == 1 else pixels[::rows, ::columns]


AS_STORED = Orientation()
QUARTERS = (  # clockwise turns of 90 degrees, by their number
    AS_STORED,
    Orientation(transpose=True, flip_x=True),
    Orientation(flip_x=True, flip_y=True),
    Orientation(transpose=True, flip_y=True),
)


def orientation_of(matrix: bytes | None) -> Orientation:
    """The orientation that a display matrix asks for, to the nearest quarter turn.

    ``matrix`` holds nine 32-bit integers a b u c d v x y w, in this machine's byte
    order, as FFmpeg keeps them; a point is shown at (a x + c y, b x + d y). Without a
    matrix a picture is shown as it is stored.
    """
    if matrix is None or len(matrix) < 20:
        return AS_STORED
    a, b, _, c, d = (int(each) for each in np.frombuffer(matrix[:20], np.int32))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def _read_orientation(frame: Any) -> Orientation:
    """What a frame itself says; PyAV refuses all of it for one kind it does not know.

    Such as the Exif data of a JPEG: then its angle alone is known, and no mirror.
    """
    try:
        matrix = frame.side_data.get(MATRIX) if len(frame.side_data) else None
    except ValueError:
        return QUARTERS[round(-frame.rotation / 90) % 4]
    return orientation_of(None if matrix is None else bytes(matrix))


class Scaler:
    """Scales and converts in one pass; the result is a view of libswscale's buffer."""

    def __init__(
        self, fit: Size, pixel_aspect: float = 1.0, *, fields_apart: bool = False
    ) -> None:
        """``pixel_aspect`` is the width of a stored pixel / its height.

        ``fields_apart``: an interlaced frame is one field, half as high as the picture.
        """
        self._fit = fit
        self._pixel_aspect = pixel_aspect
        self._fields_apart = fields_apart
        self._reformatter = VideoReformatter()
        self._field = FirstField()
        self._turned = AS_STORED
        self._shown: Size | None = None  # width and height of the first picture
        self._rotation: int | None = None  # of the frame whose matrix was read
        self._asked = False  # whether that frame may still be in memory

    def pixels(self, frame: Any) -> Pixels:
        """(height, width, 3) uint8 RGB, upright, aspect kept, inside ``fit``.

        Raises CameraError where FFmpeg cannot convert such a picture, or where it has
        another shape than the first.
        """
        turned = self._orientation(frame)
        half = frame.interlaced_frame and self._fields_apart
        shape = (frame.width * self._pixel_aspect, frame.height * (2 if half else 1))
        fit = self._fit[::-1] if turned.transpose else self._fit
        width, height = self._as_the_first(content_size(shape, fit), turned, frame)
        try:
            if frame.interlaced_frame and not half:
                frame = self._field.of(frame)
            scaled = self._reformatter.reformat(
                frame,
                width,
                height,
                "rgb24",
                interpolation=Interpolation.AREA,
                threads=1,
            )
        except (av.FFmpegError, OSError) as error:
            raise CameraError(_unlike(frame, error)) from error
        plane = scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return turned.turn(rows[:height, : width * 3].reshape(height, width, 3))

    def _as_the_first(self, size: Size, turned: Orientation, frame: Any) -> Size:
        """The first picture's size, for each that has its shape.

        ``size`` is that of ``frame`` as it is stored. A line is laid in one picture: of
        another shape it is another view.
        """
        shown = size[::-1] if turned.transpose else size
        if self._shown is None:
            self._shown = shown
        if shown != self._shown:
            before, now = (each[0] / each[1] for each in (self._shown, shown))
            if abs(now / before - 1) > SAME_SHAPE:
                raise CameraError(
                    f"the picture changes its shape on the way, from {before:.2f} to "
                    f"{now:.2f} times as wide as high ({frame.width} x {frame.height} "
                    "stored), so a line in it means something else; count each part "
                    "alone"
                )
        return self._shown[::-1] if turned.transpose else self._shown

    def _orientation(self, frame: Any) -> Orientation:
        """How ``frame`` is shown; its matrix is read only where it may have changed.

        What a key frame says holds until the next one: a stream may say it once.

        In PyAV a frame and its side data hold each other once the side data was read,
        so the picture would stay in memory until the collector runs. It runs here, with
        the next frame.
        """
        rotation = frame.rotation
        silent = not rotation and not frame.key_frame and self._rotation is not None
        if rotation != self._rotation and not silent:
            self._turned = _read_orientation(frame)
            self._rotation, self._asked = rotation, True
        elif self._asked:
            gc.collect()
            self._asked = False
        return self._turned


def _unlike(frame: Any, error: Exception) -> str:
    return (
        f"pictures of {frame.width} x {frame.height} in {frame.format.name}, colour "
        f"space {int(frame.colorspace)} (H.273), cannot be converted here: "
        f"{getattr(error, 'strerror', None) or error}"
    )


class FirstField:
    """Every second row of an interlaced frame: two fields show two moments.

    Somebody who moves looks like a comb in both together. The rows are not copied:
    libavfilter's ``field`` reads past every second one.
    """

    def __init__(self) -> None:
        self._kind: tuple[Any, ...] = ()
        self._graph = Graph()

    def of(self, frame: Any) -> Any:
        """The first field, of the same width and half the height."""
        kind = (
            frame.width,
            frame.height,
            frame.format.name,
            int(frame.colorspace),
            int(frame.color_range),
        )
        if kind != self._kind:
            self._graph, self._kind = _field_graph(*kind), kind
        self._graph.vpush(frame)
        return self._graph.vpull()


def _field_graph(
    width: int, height: int, pixels: str, colours: int, span: int
) -> Graph:
    graph = Graph()
    what = (
        f"video_size={width}x{height}:pix_fmt={pixels}:time_base=1/1:"
        f"colorspace={colours}:range={span}"
    )
    parts = [graph.add("buffer", what), graph.add("field", "type=top")]
    parts.append(graph.add("buffersink"))
    for one, following in itertools.pairwise(parts):
        one.link_to(following)
    graph.configure()
    return graph
