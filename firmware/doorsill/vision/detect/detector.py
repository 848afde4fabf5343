"""From a camera's buffer to people: prepare, invoke, decode.

A driver delivers the picture at a size that fits into the input, so preparing is one
pass that writes into the interpreter's own memory: no copy of a picture is made. Where
a picture lies between bars (``bars``), its inside is drawn larger, and let go of.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.camera.camera import content_size
from doorsill.drivers.model.interpreter import Interpreter, Output
from doorsill.errors import ConfigError
from doorsill.models.manifest import Scaling
from doorsill.values import Detections, Frame, Pixels
from doorsill.vision.detect.bars import BarWatch, Inside
from doorsill.vision.detect.letterbox import Letterbox
from doorsill.vision.follow.tracker import BIRTH_SCORE

# From the outputs, and where the picture lies in the input, to people in the picture.
Decode = Callable[[tuple[Output, ...], Letterbox], Detections]

GREY = 128  # level of the input beside the picture, of 256
TO_INT8 = np.uint8(0x80)  # x - 128 in two's complement is x XOR 128


class Stages(NamedTuple):
    """How long the last frame took, in µs."""

    prepare: int = 0
    invoke: int = 0
    decode: int = 0


class Detector(Protocol):
    """Finds people in a frame; called once per frame, also when nobody is there."""

    @property
    def fit(self) -> tuple[int, int]:
        """Width and height that a frame must fit into, touching on one side, pixels."""

    @property
    def stages(self) -> Stages:
        """How long the last frame took."""

    @property
    def born(self) -> float:
        """The score from which a detection begins a track."""

    def detect(self, frame: Frame) -> Detections:
        """People in fractions of the picture; the frame is not kept."""


class NetDetector:
    """A detector made of one network and the decoder that understands it."""

    def __init__(
        self,
        interpreter: Interpreter,
        decode: Decode,
        born: float = BIRTH_SCORE,
        scaling: Scaling | None = None,
    ) -> None:
        self._interpreter = interpreter
        self.born = born
        self._decode = decode
        self.fit = input_size(interpreter)
        dtype = interpreter.input.dtype
        self._signed = dtype == np.int8
        self._floats = _Floats(scaling or Scaling()) if dtype == np.float32 else None
        self._place = Letterbox(self.fit, self.fit)
        self._bars = BarWatch()
        self._laid: tuple[tuple[int, ...], Inside | None] | None = None
        self._pick: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None
        self.stages = Stages()

    def detect(self, frame: Frame) -> Detections:
        """People in fractions of the picture; the frame is not kept."""
        begun = perf_counter_ns()
        self._prepare(frame.pixels)
        prepared = perf_counter_ns()
        self._interpreter.invoke()
        invoked = perf_counter_ns()
        self._wipe()
        found = self._decode(self._interpreter.outputs(), self._place)
        decoded = perf_counter_ns()
        self.stages = Stages(
            (prepared - begun) // 1000,
            (invoked - prepared) // 1000,
            (decoded - invoked) // 1000,
        )
        return found

    def _prepare(self, pixels: Pixels) -> None:
        stored = self._interpreter.input_view()[0]
        if self._floats is None:
            stored = stored.view(np.uint8)
        inside = self._bars.inside(pixels)
        if self._laid != (pixels.shape, inside):
            self._lay(pixels.shape, inside)
            stored[...] = self._grey()
        if self._pick is not None:
            pixels = pixels[self._pick]
        window = stored[self._place.rows, self._place.columns]
        if self._floats is not None:
            self._floats.write(pixels, window)
        elif self._signed:
            np.bitwise_xor(pixels, TO_INT8, out=window)
        else:
            np.copyto(window, pixels)

    def _lay(self, shape: tuple[int, ...], inside: Inside | None) -> None:
        """Decide where pictures of ``shape`` lie in the input."""
        height, width = shape[:2]
        if inside is None:
            self._place, self._pick = Letterbox(self.fit, (width, height)), None
        else:
            top, bottom, left, right = inside
            size = content_size((right - left, bottom - top), self.fit)
            self._place = Letterbox(self.fit, size).within((width, height), inside)
            columns, rows = size
            self._pick = (
                _nearest(top, bottom, rows)[:, None],
                _nearest(left, right, columns),
            )
        self._laid = shape, inside

    def _grey(self) -> Any:
        """``GREY`` as the input stores it."""
        if self._floats is not None:
            return self._floats.factor * GREY + self._floats.offset
        return 0 if self._signed else GREY

    def _wipe(self) -> None:
        """Leave nobody in the input: the next frame may be long in coming."""
        stored = self._interpreter.input_view()[0]
        stored[self._place.rows, self._place.columns] = 0


def _nearest(start: int, end: int, count: int) -> NDArray[np.intp]:
    """The pixels from ``start`` to ``end`` that ``count`` new ones are taken from."""
    steps = (np.arange(count) + 0.5) * (end - start) / count
    return start + steps.astype(np.intp)


class _Floats:
    """Writes pixels as numbers, in place."""

    def __init__(self, scaling: Scaling) -> None:
        mean = np.array(scaling.mean, np.float32)
        deviation = np.array(scaling.deviation, np.float32)
        self.factor = 1 / deviation
        self.offset = -mean / deviation

    def write(self, pixels: Pixels, window: NDArray[np.float32]) -> None:
        """Fill ``window``, (height, width, 3)."""
        np.multiply(pixels, self.factor, out=window)
        window += self.offset


def input_size(interpreter: Interpreter) -> tuple[int, int]:
    """Width and height of the input; a ConfigError when it takes no RGB bytes."""
    shape, dtype = interpreter.input.shape, interpreter.input.dtype
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape[1:3]) < 16:
        raise ConfigError(
            f"the model's input is {_show(shape)}, a detector's is 1 x height x width"
            " x 3 with at least 16 rows and columns"
        )
    if dtype not in (np.int8, np.uint8, np.float32):
        raise ConfigError(
            f"the model's input is {dtype}; int8, uint8 and float32 are possible"
        )
    return shape[2], shape[1]


def _show(shape: tuple[Any, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
