"""Turn the head detector's two int8 tensors into people: one answer each.

The network says where heads are (``heat``) and, at each cell, what belongs to that head
(``reg``): the head's box, the person's box and the foot point. Cells that beat their
neighbours are heads; of two answers that speak of the same person the stronger stays.
Everything is compared as int8 first; only the few candidates become floats.

``reg`` at cell (column, row), in units of the cell: head centre dx, dy and log size;
person centre / 4 and log size / 4 cells; foot point / 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Boxes, Detections, Points

Int8 = NDArray[np.int8]

CHANNELS = 10
PERSON_OFFSET, PERSON_SIZE, FOOT_OFFSET = 4.0, 4.0, 8.0
LONGEST_LOG = 3.5  # a box is never more than e^3.5 cells
MOST_CANDIDATES = 200
RING = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True, slots=True)
class Quantisation:
    """real = scale * (stored - zero)"""

    scale: float
    zero: int


@dataclass(frozen=True, slots=True)
class HeadsDecode:
    """What the manifest fixes for one trained detector."""

    threshold: float  # lowest score that counts, 0..1
    head_overlap: float = 0.3  # IoU of two heads above which they are one
    person_overlap: float = 0.65


class HeadDecoder:
    """Made once per model; ``decode`` is called once per frame."""

    def __init__(
        self,
        shape: tuple[int, int],
        heat: Quantisation,
        reg: Quantisation,
        settings: HeadsDecode,
    ) -> None:
        """``shape``: rows and columns of the heat-map."""
        self.rows, self.columns = shape
        self.heat, self.reg, self.settings = heat, reg, settings
        lowest = settings.threshold / heat.scale + heat.zero
        self.lowest = int(np.clip(np.ceil(lowest), -128, 127))
        self.padded = np.full((self.rows + 2, self.columns + 2), -128, np.int8)
        wide = self.columns + 2
        self.around = np.array([r * wide + c for r, c in RING], np.intp)

    def decode(self, heat: Int8, reg: Int8) -> Detections:
        """heat (1, h, w, 1) and reg (1, h, w, 10), int8, to fractions of the input."""
        cells = self.peaks(heat.reshape(self.rows, self.columns))
        if not len(cells):
            return Detections.none()
        stored = heat.reshape(-1)[cells].astype(np.float32)
        scores = (stored - self.heat.zero) * np.float32(self.heat.scale)
        order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
        cells, scores = cells[order], scores[order]
        values = reg.reshape(-1, CHANNELS)[cells].astype(np.float32)
        values = (values - self.reg.zero) * np.float32(self.reg.scale)
        heads, people, feet = self.boxes(cells, values)
        kept = survivors(heads, people, self.settings)
        return Detections(
            np.clip(people[kept], 0, 1), scores[kept], heads[kept], feet[kept]
        )

    def peaks(self, heat: Int8) -> NDArray[np.intp]:
        """Flat cell numbers of those above the threshold that no neighbour beats."""
        rows, columns = np.nonzero(heat >= self.lowest)
        if not len(rows):
            return rows
        self.padded[1:-1, 1:-1] = heat
        flat = self.padded.reshape(-1)
        at = (rows + 1) * (self.columns + 2) + columns + 1
        highest = flat[at[:, None] + self.around].max(axis=1)
        cells: NDArray[np.intp] = (rows * self.columns + columns)[flat[at] >= highest]
        return cells

    def boxes(
        self, cells: NDArray[np.intp], values: NDArray[np.float32]
    ) -> tuple[Boxes, Boxes, Points]:
        """Heads (n, 4), people (n, 4) and feet (n, 2) in fractions of the input."""
        size = np.array([self.columns, self.rows], np.float32)
        at = np.empty((len(cells), 2), np.float32)
        at[:, 0], at[:, 1] = cells % self.columns, cells // self.columns
        at += 0.5
        sizes = np.exp(np.clip(values[:, [2, 3, 6, 7]], -LONGEST_LOG, LONGEST_LOG)) / 2
        head, half_head = at + values[:, 0:2], sizes[:, :2]
        person = at + values[:, 4:6] * PERSON_OFFSET
        half = sizes[:, 2:] * PERSON_SIZE
        heads = np.concatenate([head - half_head, head + half_head], axis=1)
        people = np.concatenate([person - half, person + half], axis=1)
        feet = (at + values[:, 8:10] * FOOT_OFFSET) / size
        four = np.concatenate([size, size])
        return single(heads / four), single(people / four), single(feet)


def single(values: NDArray[Any]) -> NDArray[np.float32]:
    """As float32, without a copy where it is that already."""
    return values.astype(np.float32, copy=False)


def overlaps(boxes: Boxes) -> NDArray[np.float32]:
    """(n, n) intersection over union of every pair."""
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    wide = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0)
    tall = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    both = np.maximum(wide, 0) * np.maximum(tall, 0)
    union = np.add.outer(area, area) - both
    return single(both / np.maximum(union, 1e-9))


def survivors(heads: Boxes, people: Boxes, settings: HeadsDecode) -> NDArray[np.intp]:
    """Rows to keep; rows come strongest first.

    Two are the same person when their heads overlap, their bodies overlap, or the
    weaker head's centre lies in the stronger head.
    """
    if len(heads) == 1:
        return np.zeros(1, np.intp)
    x, y = (heads[:, 0] + heads[:, 2]) / 2, (heads[:, 1] + heads[:, 3]) / 2
    nested = (heads[:, 0, None] < x) & (x < heads[:, 2, None])
    nested &= (heads[:, 1, None] < y) & (y < heads[:, 3, None])
    same = nested | (overlaps(heads) > settings.head_overlap)
    same |= overlaps(people) > settings.person_overlap
    gone = np.zeros(len(heads), bool)
    for row in range(len(heads) - 1):
        if not gone[row]:
            gone[row + 1 :] |= same[row, row + 1 :]
    return np.flatnonzero(~gone)
