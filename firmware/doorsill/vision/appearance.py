"""What one person in one frame looks like: coarse, calibrated, or nothing at all.

The crop is taken at the resolution that the detector already has; it is never kept. A
track averages what ``Appearance.read`` gives over its frames and asks ``decided`` once:
below the manifest's least confidence the answer is *unknown*.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.runtime import Interpreter
from doorsill.values import Age, Attributes, Boxes, Expression, Pixels

Shares = NDArray[np.float32]  # (n, labels), each row sums to 1

GREY = 128  # what stands where the crop reaches beyond the picture
GROWN = 1.06  # the crop is a little larger than the box
LEAST_HEAD_PX = 8  # smaller heads say nothing


class Output(Protocol):
    """What the manifest says of one output."""

    @property
    def name(self) -> str:
        """``age`` or ``expression``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, labels)."""

    @property
    def least_confidence(self) -> float:
        """Below it the answer is unknown."""

    @property
    def temperature(self) -> float:
        """What the logits are divided by."""


def portrait(
    pixels: Pixels, box: NDArray[Any], size: tuple[int, int], out: NDArray[np.uint8]
) -> None:
    """Cut one person out of a picture, aspect kept, into ``out`` (height, width, 3).

    ``box`` is x0, y0, x1, y1 in 0..1; ``size`` is width and height of ``out``.
    """
    rows, columns = pixels.shape[:2]
    width, height = size
    x0, y0, x1, y1 = box * np.array([columns, rows, columns, rows])
    scale = max((x1 - x0) / width, (y1 - y0) / height) * GROWN
    across = (x0 + x1) / 2 + (np.arange(width) + 0.5 - width / 2) * scale
    down = (y0 + y1) / 2 + (np.arange(height) + 0.5 - height / 2) * scale
    across, down = np.floor(across).astype(np.intp), np.floor(down).astype(np.intp)
    inside_x = (across >= 0) & (across < columns)
    inside_y = (down >= 0) & (down < rows)
    cut = pixels.take(down.clip(0, rows - 1), axis=0)
    np.copyto(out, cut.take(across.clip(0, columns - 1), axis=1))
    out[~inside_y] = GREY
    out[:, ~inside_x] = GREY


class Appearance:
    """One attributes network; ``outputs`` comes from its verified manifest."""

    def __init__(self, interpreter: Interpreter, outputs: tuple[Output, ...]) -> None:
        self._interpreter = interpreter
        self._outputs = {output.name: output for output in outputs}
        _, height, width, _ = interpreter.input.shape
        self._size = (width, height)

    def read(self, pixels: Pixels, boxes: Boxes) -> tuple[Shares, Shares]:
        """Ages (n, 4) and expressions (n, 2) of the people in ``boxes``."""
        ages = np.empty((len(boxes), len(Age) - 1), np.float32)
        expressions = np.empty((len(boxes), len(Expression) - 1), np.float32)
        for row, box in enumerate(boxes):
            self._look(pixels, box)
            for output in self._interpreter.outputs():
                real = output.real().reshape(-1)
                is_age = len(real) == ages.shape[1]
                name = "age" if is_age else "expression"
                shares = softmax(real / np.float32(self._outputs[name].temperature))
                (ages if is_age else expressions)[row] = shares
        return ages, expressions

    def decided(self, ages: Shares, expressions: Shares) -> Attributes:
        """One answer from the rows of one track."""
        age = self._best("age", ages, int(Age.UNKNOWN))
        expression = self._best("expression", expressions, int(Expression.UNKNOWN))
        return Attributes(Age(age), Expression(expression))

    def _look(self, pixels: Pixels, box: NDArray[Any]) -> None:
        stored = self._interpreter.input_view()[0].view(np.uint8)
        portrait(pixels, box, self._size, stored)
        np.bitwise_xor(stored, np.uint8(0x80), out=stored)
        del stored
        self._interpreter.invoke()
        self._interpreter.input_view()[...] = 0  # nobody stays in memory

    def _best(self, name: str, rows: Shares, unknown: int) -> int:
        if not len(rows):
            return unknown
        mean = rows.mean(axis=0)
        best = int(mean.argmax())
        return best if mean[best] >= self._outputs[name].least_confidence else unknown


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares that sum to one."""
    raised = np.exp(logits - logits.max())
    shares: NDArray[np.float32] = raised / raised.sum()
    return shares
