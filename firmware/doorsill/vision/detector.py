"""From a camera's buffer to people: prepare, invoke, decode.

    picture 16:9            model input 5:4
    ┌────────────┐          ┌──────────┐
    │            │  centred │▒▒▒▒▒▒▒▒▒▒│ grey
    │            │ ───────► │          │
    └────────────┘          │▒▒▒▒▒▒▒▒▒▒│ grey
                            └──────────┘

A driver delivers the picture at a size that fits into the input, so preparing is one
pass that writes into the interpreter's own memory: no copy of a picture is ever made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np

from doorsill.drivers.runtime import Interpreter, Output
from doorsill.errors import ConfigError
from doorsill.values import Detections, Frame, Pixels

Decode = Callable[[tuple[Output, ...]], Detections]  # in fractions of the input

GREY = 128  # what stands beside the picture, as stored in 0..255
TO_INT8 = np.uint8(0x80)  # x - 128 in two's complement is x XOR 128


@dataclass(frozen=True, slots=True)
class Stages:
    """How long the last frame took, in µs."""

    prepare: int = 0
    invoke: int = 0
    decode: int = 0


class Detector(Protocol):
    """Finds people in a frame; called once per frame, also when nobody is there."""

    @property
    def fit(self) -> tuple[int, int]:
        """Width and height that a frame must fit into, touching on one side."""

    @property
    def stages(self) -> Stages:
        """How long the last frame took."""

    def detect(self, frame: Frame) -> Detections:
        """People in fractions of the picture; the frame is not kept."""


class NetDetector:
    """A detector made of one network and the decoder that understands it."""

    def __init__(self, interpreter: Interpreter, decode: Decode) -> None:
        self._interpreter = interpreter
        self._decode = decode
        self.fit = input_size(interpreter)
        self._signed = interpreter.input.dtype == np.int8
        self._place = Letterbox(self.fit, self.fit)
        self.stages = Stages()

    def detect(self, frame: Frame) -> Detections:
        """People in fractions of the picture; the frame is not kept."""
        begun = perf_counter_ns()
        self._prepare(frame.pixels)
        prepared = perf_counter_ns()
        self._interpreter.invoke()
        invoked = perf_counter_ns()
        self._wipe()
        found = self._place.to_picture(self._decode(self._interpreter.outputs()))
        decoded = perf_counter_ns()
        self.stages = Stages(
            (prepared - begun) // 1000,
            (invoked - prepared) // 1000,
            (decoded - invoked) // 1000,
        )
        return found

    def _prepare(self, pixels: Pixels) -> None:
        stored = self._interpreter.input_view()[0].view(np.uint8)
        height, width = pixels.shape[:2]
        if self._place.content != (width, height):
            self._place = Letterbox(self.fit, (width, height))
            stored[...] = 0 if self._signed else GREY
        window = stored[self._place.rows, self._place.columns]
        if self._signed:
            np.bitwise_xor(pixels, TO_INT8, out=window)
        else:
            np.copyto(window, pixels)

    def _wipe(self) -> None:
        """Leave nobody in the input: the next look may be long in coming."""
        stored = self._interpreter.input_view()[0]
        stored[self._place.rows, self._place.columns] = 0


class Letterbox:
    """Where a picture of ``content`` lies in an input of ``size``; both width, height.

    Raises :class:`ConfigError` when it does not fit.
    """

    __slots__ = ("columns", "content", "rows", "scale", "shift")

    def __init__(self, size: tuple[int, int], content: tuple[int, int]) -> None:
        (width, height), (inner_width, inner_height) = size, content
        if not (0 < inner_width <= width and 0 < inner_height <= height):
            raise ConfigError(
                f"a frame of {inner_width}x{inner_height} does not fit"
                f" the model's input of {width}x{height}"
            )
        left, top = (width - inner_width) // 2, (height - inner_height) // 2
        self.content = content
        self.columns = slice(left, left + inner_width)
        self.rows = slice(top, top + inner_height)
        self.scale = (width / inner_width, height / inner_height)
        self.shift = (left / inner_width, top / inner_height)

    def to_picture(self, found: Detections) -> Detections:
        """From fractions of the input to fractions of the picture.

        Boxes are cut at the picture's edge; what lies beside it entirely is dropped.
        """
        if not len(found):
            return found
        # For the handful of people in a frame, numpy's calls cost more than the sums.
        (wide, tall), (left, top) = self.scale, self.shift
        table, inside = [], []
        for (x0, y0, x1, y1), (a, b, c, d), (x, y) in zip(
            found.boxes.tolist(),
            found.heads.tolist(),
            found.feet.tolist(),
            strict=True,
        ):
            x0, x1 = _cut(x0 * wide - left), _cut(x1 * wide - left)
            y0, y1 = _cut(y0 * tall - top), _cut(y1 * tall - top)
            head = (a * wide - left, b * tall - top, c * wide - left, d * tall - top)
            table.append((x0, y0, x1, y1, *head, x * wide - left, y * tall - top))
            inside.append(x1 > x0 and y1 > y0)
        rows, scores = np.array(table, np.float32), found.scores
        if not all(inside):
            rows, scores = rows[inside], scores[inside]
        return Detections(rows[:, :4], scores, rows[:, 4:8], rows[:, 8:])


def _cut(x: float) -> float:
    return 0.0 if x < 0.0 else min(x, 1.0)


def input_size(interpreter: Interpreter) -> tuple[int, int]:
    """Width and height of the input; a ConfigError when it takes no RGB bytes."""
    shape, dtype = interpreter.input.shape, interpreter.input.dtype
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape[1:3]) < 16:
        raise ConfigError(
            f"the model's input is {_show(shape)}, a detector's is 1 x height x width"
            " x 3 with at least 16 rows and columns"
        )
    if dtype not in (np.int8, np.uint8):
        raise ConfigError(
            f"the model's input is {dtype}, only int8 and uint8 are possible:"
            " quantise the model in full"
        )
    return shape[2], shape[1]


def _show(shape: tuple[Any, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
