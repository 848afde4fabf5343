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
WINDOW = 3.2  # side of the crop in heads
SHIFT = 0.8  # heads, from the head's centre towards the body


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
    pixels: Pixels, head: NDArray[Any], body: NDArray[Any], out: NDArray[np.uint8]
) -> None:
    """Cut head and shoulders out of a picture into the square ``out`` (side, side, 3).

    ``head`` and ``body`` are x0, y0, x1, y1 in 0..1. The window is ``WINDOW`` heads
    wide and shifted from the head towards the body, so that it fits any view.
    """
    rows, columns = pixels.shape[:2]
    side, whole = out.shape[0], np.array([columns, rows], np.float32)
    low, high = head[:2] * whole, head[2:] * whole
    size = float((high - low).max())
    middle = (low + high) / 2
    towards = (body[:2] + body[2:]) / 2 * whole - middle
    reach = SHIFT * size / max(float(np.hypot(*towards)), SHIFT * size, 1e-6)
    steps = ((np.arange(side) + 0.5) / side - 0.5) * WINDOW * size
    across, down = (middle + towards * reach)[:, None] + steps
    across, down = np.floor(across).astype(np.intp), np.floor(down).astype(np.intp)
    cut = pixels.take(down.clip(0, rows - 1), axis=0)
    np.copyto(out, cut.take(across.clip(0, columns - 1), axis=1))
    out[(down < 0) | (down >= rows)] = GREY
    out[:, (across < 0) | (across >= columns)] = GREY


class Appearance:
    """One attributes network; ``outputs`` comes from its verified manifest."""

    def __init__(self, interpreter: Interpreter, outputs: tuple[Output, ...]) -> None:
        self._interpreter = interpreter
        self._outputs = {output.name: output for output in outputs}

    def read(
        self, pixels: Pixels, heads: Boxes, bodies: Boxes
    ) -> tuple[Shares, Shares]:
        """Ages (n, 4) and expressions (n, 2) of the people with these boxes."""
        ages = np.empty((len(heads), len(Age) - 1), np.float32)
        expressions = np.empty((len(heads), len(Expression) - 1), np.float32)
        for row in range(len(heads)):
            self._look(pixels, heads[row], bodies[row])
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

    def _look(self, pixels: Pixels, head: NDArray[Any], body: NDArray[Any]) -> None:
        stored = self._interpreter.input_view()[0].view(np.uint8)
        portrait(pixels, head, body, stored)
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
