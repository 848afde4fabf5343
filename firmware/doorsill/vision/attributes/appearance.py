"""What one person in one frame looks like: coarse, calibrated, or nothing at all.

The crop is taken at the resolution that the detector already has; it is never kept. A
track averages what ``Appearance.read`` gives over its frames and calls ``decide`` once:
below the manifest's least confidence the answer is *unknown*. A network may have been
taught finer labels than the bands of ``cells.Age``; ``read`` adds up the shares of one
band, so that nothing finer leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.model.interpreter import Interpreter
from doorsill.models.manifest import Quantisation
from doorsill.values import Age, Attributes, Boxes, Expression, Pixels

Shares = NDArray[np.float32]  # (n, bands), each row sums to 1
ANSWERS = {"age": Age, "expression": Expression}

GREY = 128  # level of the crop where it reaches beyond the picture, of 256
CROP_LENGTH = 7.5  # length of the crop, in heads
HEAD_PLACE = 0.85  # from the crop's upper edge to the middle of the head, in heads
LEAST_OFFSET = 0.5  # a body nearer to its head gives no direction, in heads


class Output(Protocol):
    """What the manifest says of one output."""

    @property
    def name(self) -> str:
        """``age`` or ``expression``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, labels)."""

    @property
    def quantisation(self) -> Quantisation:
        """With the shape it says which of the file's outputs this is."""

    @property
    def bands(self) -> tuple[str, ...]:
        """The band of each label."""

    @property
    def least_confidence(self) -> float:
        """Below it the answer is unknown."""

    @property
    def temperature(self) -> float:
        """What the logits are divided by."""


def cut_portrait(
    pixels: Pixels, head: NDArray[Any], body: NDArray[Any], out: NDArray[np.uint8]
) -> None:
    """Cut a person out of a picture into the upright ``out`` (height, width, 3).

    ``head`` and ``body`` are (4,): x0, y0, x1, y1 in 0..1. The crop is ``CROP_LENGTH``
    heads long and turned by quarters, so that the body lies below the head in any view:
    a child is known by the length of the body against that of the head.
    """
    tall, wide = out.shape[:2]
    whole = np.array(pixels.shape[1::-1], np.float32)
    low, high = head[:2] * whole, head[2:] * whole
    size, middle = float((high - low).max()), (low + high) / 2
    x, y = nearest_quarter(
        (body[:2] + body[2:]) / 2 * whole - middle, LEAST_OFFSET * size
    )
    step = CROP_LENGTH * size / tall  # pixels of the picture for each one of the crop
    down = (np.arange(tall) + 0.5) * step - HEAD_PLACE * size
    across = (np.arange(wide) + 0.5 - wide / 2) * step
    if x:  # the body lies to the side of the head: rows of the crop are columns
        copy_cut(
            pixels, middle[1] - x * across, middle[0] + x * down, out.swapaxes(0, 1)
        )
    else:
        copy_cut(pixels, middle[1] + y * down, middle[0] + y * across, out)


def nearest_quarter(towards: NDArray[Any], least: float) -> tuple[int, int]:
    """The main direction as (x, y), one of them 0; down if shorter than ``least``."""
    x, y = float(towards[0]), float(towards[1])
    if max(abs(x), abs(y)) < least:
        return 0, 1
    if abs(x) > abs(y):
        return (1 if x > 0 else -1), 0
    return 0, (1 if y > 0 else -1)


def copy_cut(
    pixels: Pixels, y: NDArray[Any], x: NDArray[Any], out: NDArray[np.uint8]
) -> None:
    """Fill ``out`` (len(y), len(x), 3) from these rows and columns; grey outside."""
    rows, columns = pixels.shape[:2]
    y, x = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    cut = pixels.take(y.clip(0, rows - 1), axis=0)
    np.copyto(out, cut.take(x.clip(0, columns - 1), axis=1))
    out[(y < 0) | (y >= rows)] = GREY
    out[:, (x < 0) | (x >= columns)] = GREY


class Appearance:
    """One attributes network; ``outputs`` comes from its verified manifest."""

    def __init__(self, interpreter: Interpreter, outputs: tuple[Output, ...]) -> None:
        self._interpreter = interpreter
        self._outputs = {output.name: output for output in outputs}
        self._tables = {
            output.name: band_table(output.name, output.bands) for output in outputs
        }
        # The file names its outputs as it likes; ``open_model`` compared these two.
        self._names = {
            (output.shape, output.quantisation.scale): output.name for output in outputs
        }

    def read(
        self, pixels: Pixels, heads: Boxes, bodies: Boxes
    ) -> tuple[Shares, Shares]:
        """Ages (n, 2) and expressions (n, 2) of the people with these boxes.

        ``heads`` and ``bodies`` are (n, 4) in 0..1 of the picture.
        """
        read = {
            name: np.empty((len(heads), len(answer) - 1), np.float32)
            for name, answer in ANSWERS.items()
        }
        for row in range(len(heads)):
            self._infer(pixels, heads[row], bodies[row])
            for output in self._interpreter.outputs():
                name = self._names[output.tensor.shape, output.tensor.scale]
                logits = output.real().reshape(-1)
                shares = softmax(logits / np.float32(self._outputs[name].temperature))
                read[name][row] = shares @ self._tables[name]
        return read["age"], read["expression"]

    def decide(self, ages: Shares, expressions: Shares) -> Attributes:
        """One answer from the rows of one track; *unknown* where they are unsure."""
        age = self._best("age", ages, int(Age.UNKNOWN))
        expression = self._best("expression", expressions, int(Expression.UNKNOWN))
        return Attributes(Age(age), Expression(expression))

    def _infer(self, pixels: Pixels, head: NDArray[Any], body: NDArray[Any]) -> None:
        stored = self._interpreter.input_view()[0].view(np.uint8)
        cut_portrait(pixels, head, body, stored)
        np.bitwise_xor(stored, np.uint8(0x80), out=stored)
        del stored
        self._interpreter.invoke()
        self._interpreter.input_view()[...] = (
            0  # no picture of a person stays in memory
        )

    def _best(self, name: str, rows: Shares, unknown: int) -> int:
        if not len(rows):
            return unknown
        mean = rows.mean(axis=0)
        best = int(mean.argmax())
        return best if mean[best] >= self._outputs[name].least_confidence else unknown


def band_table(name: str, bands: Sequence[str]) -> NDArray[np.float32]:
    """(labels, bands): 1 where a label's share belongs to a band, else 0.

    ``name`` is that of the output, ``bands`` has the band of each label.
    """
    answer = ANSWERS[name]
    table = np.zeros((len(bands), len(answer) - 1), np.float32)
    for label, band in enumerate(bands):
        table[label, answer[band.upper()]] = 1
    return table


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares that sum to 1, from logits of the same shape."""
    raised = np.exp(logits - logits.max())
    shares: NDArray[np.float32] = raised / raised.sum()
    return shares
