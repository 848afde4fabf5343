"""The anchors that raw detectors were trained with, by the rules of the field.

A raw detector says for each anchor how far and how much larger a thing is. Which rule
made the anchors follows from how many there are for an input of a size:

    ssd           TensorFlow's SSD, SSDLite and MobileDet: 3 + 6 a cell, from stride 16
    retina        its FPN detectors: 6 a cell, strides 8 to 128
    efficientdet  9 a cell, strides 8 to 128; the lite ones up to 448 have scale 3

Sources: object_detection/anchor_generators/multiple_grid_anchor_generator.py and
multiscale_grid_anchor_generator.py of tensorflow/models; efficientdet/keras/anchors.py
and hparams_config.py of google/automl.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from doorsill.models.manifest import RULES
from doorsill.models.stated import Coding

Anchors = NDArray[np.float32]  # (n, 4) centre x, centre y, width, height in 0..1
Cell = list[tuple[float, float]]  # width and height of each anchor of a cell, 0..1

SSD_LAYERS = 6  # of the pyramid
SSD_SMALLEST = 0.2  # anchor of the lowest layer, share of the input
SSD_LARGEST = 0.95  # anchor of the highest layer, share of the input
SSD_ASPECTS = (1.0, 2.0, 0.5, 3.0, 0.3333)  # width over height
PYRAMID_LEVELS = range(3, 8)  # powers of 2 of the strides
RETINA_SCALE = 4.0  # size of the smallest anchor of a cell, cells
RETINA_OCTAVES = 2  # sizes of a cell
RETINA_ASPECTS = (1.0, 2.0, 0.5)  # width over height
EFFICIENTDET_OCTAVES = 3  # sizes of a cell
EFFICIENTDET_ASPECTS = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))  # width, height
EFFICIENTDET_LITE_SIDE = 448  # largest input that has scale 3, pixels
TENSORFLOW_SCALES = (10.0, 10.0, 5.0, 5.0)  # of y, x, height, width
PLAIN_SCALES = (1.0, 1.0, 1.0, 1.0)  # of y, x, height, width


def coding_of(count: int, size: tuple[int, int]) -> tuple[str, Coding] | None:
    """The rule by which ``count`` raw boxes are written and its coding, if any.

    ``size`` is that of the input, width and height in pixels.
    """
    for rule in RULES:
        coding = by_rule(rule, size)
        if len(coding.anchors) == count:
            return rule, coding
    return None


def by_rule(rule: str, size: tuple[int, int], scale: float = 0.0) -> Coding:
    """The coding of a rule for an input of ``size``, width and height in pixels.

    ``scale`` is that of EfficientDet's anchors; 0 takes what the field trains with.
    """
    if rule == "ssd":
        return Coding(_ssd(size), TENSORFLOW_SCALES)
    if rule == "retina":
        return Coding(_retina(size), TENSORFLOW_SCALES)
    usual = 3.0 if max(size) <= EFFICIENTDET_LITE_SIDE else 4.0
    return Coding(_efficientdet(size, scale or usual), PLAIN_SCALES)


def _ssd(size: tuple[int, int]) -> Anchors:
    """Sizes go by the shorter side; the lowest layer has three anchors a cell."""
    width, height = size
    across, down = ceil(width / 16), ceil(height / 16)
    wide, tall = min(size) / width, min(size) / height
    step = (SSD_LARGEST - SSD_SMALLEST) / (SSD_LAYERS - 1)
    scales = [SSD_SMALLEST + step * layer for layer in range(SSD_LAYERS)] + [1.0]
    rows = []
    for layer in range(SSD_LAYERS):
        scale, beyond = scales[layer], scales[layer + 1]
        if layer == 0:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, aspect) for aspect in SSD_ASPECTS]
            shapes.append((sqrt(scale * beyond), 1.0))
        cell = [(s * sqrt(a) * wide, s / sqrt(a) * tall) for s, a in shapes]
        rows.append(_grid((across, down), (1 / across, 1 / down), (0.5, 0.5), cell))
        across, down = ceil(across / 2), ceil(down / 2)
    return np.concatenate(rows)


def _efficientdet(size: tuple[int, int], scale: float) -> Anchors:
    """The cells of a level share the input evenly."""
    octaves = [2 ** (each / EFFICIENTDET_OCTAVES) for each in range(3)]
    rows = []
    for across, down in _levels(size):
        step = 1 / across, 1 / down
        cell = [
            (scale * octave * wide * step[0], scale * octave * tall * step[1])
            for octave in octaves
            for wide, tall in EFFICIENTDET_ASPECTS
        ]
        rows.append(_grid((across, down), step, (0.5, 0.5), cell))
    return np.concatenate(rows)


def _retina(size: tuple[int, int]) -> Anchors:
    """Cells are as large as their stride; where it does not divide, they begin at 0."""
    octaves = [2 ** (each / RETINA_OCTAVES) for each in range(RETINA_OCTAVES)]
    rows = []
    for level, cells in zip(PYRAMID_LEVELS, _levels(size), strict=True):
        stride = 2**level
        step = stride / size[0], stride / size[1]
        first = tuple(0.0 if side % stride else 0.5 for side in size)
        shapes = [(RETINA_SCALE * o, sqrt(a)) for a in RETINA_ASPECTS for o in octaves]
        cell = [(side * root * step[0], side / root * step[1]) for side, root in shapes]
        rows.append(_grid(cells, step, (first[0], first[1]), cell))
    return np.concatenate(rows)


def _levels(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Cells across and down of each level of the pyramid."""
    sides, found = size, []
    for level in range(1, PYRAMID_LEVELS.stop):
        sides = (sides[0] + 1) // 2, (sides[1] + 1) // 2
        found += [sides] if level in PYRAMID_LEVELS else []
    return found


def _grid(
    cells: tuple[int, int],
    step: tuple[float, float],
    first: tuple[float, float],
    cell: Cell,
) -> Anchors:
    """The anchors row by row, and in each cell one after the other.

    ``first`` is the middle of the first cell, in steps.
    """
    x = (np.arange(cells[0]) + first[0]) * step[0]
    y = (np.arange(cells[1]) + first[1]) * step[1]
    centres = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    rows = np.empty((len(centres), len(cell), 4), np.float32)
    rows[:, :, :2] = centres[:, None]
    rows[:, :, 2:] = np.array(cell)
    return rows.reshape(-1, 4)
