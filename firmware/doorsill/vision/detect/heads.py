"""Turn the head detector's two int8 tensors into people: one answer each.

The network says where heads are (``heat``) and, at each cell, what belongs to that head
(``reg``): the head's box, the person's box and the foot point. Cells that beat their
neighbours are heads; of two answers about the same person the stronger stays. Of 1,280
cells only a few are candidates, so all but the search for them is plain Python on
tables of what each stored value means: dozens of numpy calls on three numbers each take
twice as long.

``reg`` at a cell, in cells from its middle: head centre x and y, log of head width and
height; person centre / 4, log of (person width and height / 4); foot point / 8.
"""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

from doorsill.models.manifest import CHANNELS, HeadsDecode, Quantisation
from doorsill.values import Detections
from doorsill.vision.detect.letterbox import WHOLE, Letterbox
from doorsill.vision.geometry import Box, overlap

Int8 = NDArray[np.int8]

PERSON_OFFSET = 4.0  # unit of a person's centre, cells
PERSON_SIZE = 4.0  # size of a person whose log is 0, cells
FOOT_OFFSET = 8.0  # unit of a foot point, cells
LONGEST_LOG = 3.5  # log of a size, at most
MOST_CANDIDATES = 200  # peaks of a frame at most, the strongest
BIRTH_SCORE = 0.45  # least score of one of our heads that begins a track
LOWEST = -128  # of int8
TO_ORDER = np.uint8(0x80)  # int8 XOR 128 is a byte that is larger by 128


class HeadDecoder:
    """Made once per model; ``decode`` is called once per frame."""

    def __init__(
        self,
        shape: tuple[int, int],
        heat: Quantisation,
        reg: Quantisation,
        settings: HeadsDecode,
    ) -> None:
        """``shape`` is the rows and columns of the heat-map."""
        self.rows, self.columns = shape
        self.heat, self.settings = heat, settings
        lowest = settings.threshold / heat.scale + heat.zero
        self.lowest = int(np.clip(np.ceil(lowest), LOWEST, 127))
        self.padded = np.zeros((self.rows + 2, self.columns + 2), np.uint8)
        self.flat = self.padded.reshape(-1)
        reals = [
            (stored - reg.zero) * reg.scale for stored in (*range(128), *range(-128, 0))
        ]
        # Indexed by the byte that holds a value: 128 to 255 are -128 to -1.
        self.offset = reals
        self.half = [exp(min(max(x, -LONGEST_LOG), LONGEST_LOG)) / 2 for x in reals]

    def decode(self, heat: Int8, reg: Int8, place: Letterbox = WHOLE) -> Detections:
        """``heat`` (1, h, w, 1) and ``reg`` (1, h, w, 10) to people in the picture.

        ``place`` is where the picture lies in the input. Boxes are cut at the picture's
        edge; people entirely beside it are dropped.
        """
        (wide, tall), (left, top) = place.scale, place.shift
        wide, tall = wide / self.columns, tall / self.rows  # of a cell, in pictures
        values = reg.tobytes()  # its numbers are read faster than an array's
        known: list[tuple[Box, Box]] = []
        numbers: list[float] = []
        for stored, row, column in self.peaks(heat.reshape(self.rows, self.columns)):
            at = (row * self.columns + column) * CHANNELS
            head, body, foot = self._person(row, column, values[at : at + CHANNELS])
            if self._is_known(known, head, body):
                continue
            known.append((head, body))
            x0, x1 = body[0] * wide - left, body[2] * wide - left
            y0, y1 = body[1] * tall - top, body[3] * tall - top
            if x1 <= 0.0 or x0 >= 1.0 or y1 <= 0.0 or y0 >= 1.0:
                continue
            numbers += (x0 if x0 > 0.0 else 0.0, y0 if y0 > 0.0 else 0.0)
            numbers += (x1 if x1 < 1.0 else 1.0, y1 if y1 < 1.0 else 1.0)
            numbers.append((stored - self.heat.zero) * self.heat.scale)
            numbers += (head[0] * wide - left, head[1] * tall - top)
            numbers += (head[2] * wide - left, head[3] * tall - top)
            numbers += (foot[0] * wide - left, foot[1] * tall - top)
        if not numbers:
            return Detections.none()
        people = np.array(numbers, np.float32).reshape(-1, 11)
        return Detections(people[:, :4], people[:, 4], people[:, 5:9], people[:, 9:])

    def peaks(self, heat: Int8) -> list[tuple[int, int, int]]:
        """(stored score, row, column) where no neighbour is higher, strongest first.

        ``heat`` is (rows, columns).
        """
        # As bytes in the numbers' order; beside the map lies the least.
        np.bitwise_xor(heat.view(np.uint8), TO_ORDER, out=self.padded[1:-1, 1:-1])
        wide = self.columns + 2
        stored = self.flat.tobytes()
        found = []
        for cell in (self.flat >= self.lowest - LOWEST).nonzero()[0].tolist():
            value = stored[cell]
            above, below = cell - wide, cell + wide
            if (
                stored[cell - 1] <= value >= stored[cell + 1]
                and stored[above] <= value >= stored[below]
                and stored[above - 1] <= value >= stored[above + 1]
                and stored[below - 1] <= value >= stored[below + 1]
                and value > 0
            ):
                row, column = divmod(cell, wide)
                found.append((value + LOWEST, row - 1, column - 1))
        found.sort(key=_stored, reverse=True)
        return found[:MOST_CANDIDATES]

    def _person(
        self, row: int, column: int, values: bytes
    ) -> tuple[Box, Box, tuple[float, float]]:
        """Head, body and foot point in cells, from the ten ``values`` of a peak."""
        offset, half = self.offset, self.half
        x, y = column + 0.5, row + 0.5
        head_x, head_y = x + offset[values[0]], y + offset[values[1]]
        body_x = x + offset[values[4]] * PERSON_OFFSET
        body_y = y + offset[values[5]] * PERSON_OFFSET
        head_w, head_h = half[values[2]], half[values[3]]
        body_w = half[values[6]] * PERSON_SIZE
        body_h = half[values[7]] * PERSON_SIZE
        return (
            (head_x - head_w, head_y - head_h, head_x + head_w, head_y + head_h),
            (body_x - body_w, body_y - body_h, body_x + body_w, body_y + body_h),
            (x + offset[values[8]] * FOOT_OFFSET, y + offset[values[9]] * FOOT_OFFSET),
        )

    def _is_known(self, known: list[tuple[Box, Box]], head: Box, body: Box) -> bool:
        """Whether a stronger answer is about the same person."""
        for other_head, other in known:
            apart = other[2] <= body[0] or body[2] <= other[0]
            if apart and (other_head[2] <= head[0] or head[2] <= other_head[0]):
                continue  # side by side, as most people are: spare the calls
            if is_same_person(other_head, other, head, body, self.settings):
                return True
        return False


def is_same_person(
    head: Box, person: Box, weaker_head: Box, weaker: Box, settings: HeadsDecode
) -> bool:
    """Whether two answers, the stronger first, are about the same person.

    They are where the heads or the bodies overlap enough, or where the weaker head's
    centre lies in the stronger head. All boxes are in the same units.
    """
    heads = overlap(head, weaker_head)
    if heads > 0.0:
        x = (weaker_head[0] + weaker_head[2]) / 2
        y = (weaker_head[1] + weaker_head[3]) / 2
        nested = head[0] < x < head[2] and head[1] < y < head[3]
        if nested or heads > settings.head_overlap:
            return True
    return overlap(person, weaker) > settings.person_overlap


def _stored(peak: tuple[int, int, int]) -> int:
    return peak[0]
