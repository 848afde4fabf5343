"""Boxes, classes and scores become people: the decoders of other people's detectors.

``SsdDecoder`` reads a finished detector, whose file ends in
``TFLite_Detection_PostProcess`` or in something that gives the same: boxes (n, 4),
classes (n,), scores (n,) and mostly a count. ``RawDecoder`` reads one that gives all
its boxes, relative to anchors or not, and a score for each kind of thing; what the
operation would do is done here. ``layout.py`` says which output is what.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.model.interpreter import Output
from doorsill.models.stated import Coding
from doorsill.values import Boxes, Detections, Scores
from doorsill.vision.detect.letterbox import Letterbox

LOWEST_SCORE = 0.3  # weaker answers are noise even for the tracker's second pass
SAME_PERSON_IOU = 0.6  # boxes that overlap more are one person
MOST_RAW = 200  # raw boxes at most, the strongest: no doorway holds as many people
LARGEST_EXPONENT = 10.0  # of a box's size; e to that power is beyond every picture
LARGEST_SHARE = 2.0  # larger numbers are no shares of the input but pixels
HEADS_TALL = 7.0  # height of a standing adult, heads: they are 7 to 8 heads tall
HEAD_ASPECT = 0.75  # width over height of a head


@dataclass(frozen=True, slots=True)
class BoxForm:
    """How four numbers name a box; TensorFlow's way where nothing else is said."""

    size: tuple[int, int]  # width and height of the input, in pixels
    order: tuple[int, ...] = (1, 0, 3, 2)  # where x0, y0, x1, y1 lie
    form: str = "boundaries"  # or "upper left", "centre": x, y, width, height
    pixels: bool | None = None  # None: as the size of the numbers shows

    def corners(self, rows: Boxes) -> Boxes:
        """``rows`` (n, 4) as x0, y0, x1, y1 in fractions of the input."""
        found = rows[:, list(self.order)]
        if self.form == "upper left":
            found = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)
        if self.form == "centre":
            half = found[:, 2:] / np.float32(2)
            found = np.concatenate([found[:, :2] - half, found[:, :2] + half], axis=1)
        pixels = self.pixels
        if pixels is None:
            pixels = bool(len(found)) and found.max() > LARGEST_SHARE
        if pixels:
            found /= np.array(self.size * 2, np.float32)
        return found


@dataclass(slots=True)
class SsdDecoder:
    """Decodes a finished detector; ``order`` is the index of each output, -1: none.

    While it is ``unsettled`` which of two outputs holds classes and which scores, the
    first picture in which their numbers differ decides; until then nobody is there.
    """

    order: tuple[int, int, int, int]  # boxes, classes, scores, count
    form: BoxForm
    person_class: int = 0
    lowest_score: float = LOWEST_SCORE
    unsettled: bool = False

    def __call__(self, outputs: tuple[Output, ...], place: Letterbox) -> Detections:
        """People in fractions of the picture at ``place``, strongest first."""
        if self.unsettled and not self._settle(outputs):
            return Detections.none()
        first, second, third, last = self.order
        boxes = outputs[first].real().reshape(-1, 4)
        classes = outputs[second].real().reshape(-1)
        scores = outputs[third].real().reshape(-1)
        total = float(scores.size if last < 0 else outputs[last].real().flat[0])
        valid = int(min(total, scores.size)) if total > 0 else 0  # NaN is not above 0
        scores = scores[:valid]
        wanted = scores >= self.lowest_score
        wanted &= classes[:valid].round() == self.person_class
        wanted &= np.isfinite(boxes[:valid]).all(axis=1)
        rows = np.flatnonzero(wanted)
        if not len(rows):
            return Detections.none()
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        found = self.form.corners(boxes[rows])
        return _people(found, scores[rows], self.form.size, place)

    def _settle(self, outputs: tuple[Output, ...]) -> bool:
        boxes, first, second, count = self.order
        one, two = outputs[first].real(), outputs[second].real()
        if _are_scores(two) and _are_whole(one):
            self.unsettled = False
        elif _are_scores(one) and _are_whole(two):
            self.order, self.unsettled = (boxes, second, first, count), False
        return not self.unsettled


@dataclass(frozen=True, slots=True)
class RawDecoder:
    """Decodes a detector without post-processing: each box, a score for each kind."""

    boxes: int  # index of the output with the boxes
    scores: int  # index of the output with the scores
    columns: int  # kinds of things that have a score
    column: int  # index of people among them
    form: BoxForm  # of boxes that are not coded
    coding: Coding | None = None
    logits: bool = False  # whether scores are still to be squeezed into 0..1
    lowest_score: float = LOWEST_SCORE

    def __call__(self, outputs: tuple[Output, ...], place: Letterbox) -> Detections:
        """People in fractions of the picture at ``place``, strongest first."""
        tensor, values = outputs[self.scores]
        column = values.reshape(-1, self.columns)[:, self.column]
        scores = Output(tensor, column).real()
        rows = np.flatnonzero(scores >= self._lowest())
        rows = rows[np.argsort(-scores[rows], kind="stable")][:MOST_RAW]
        tensor, values = outputs[self.boxes]
        found = self._corners(Output(tensor, values.reshape(-1, 4)[rows]).real(), rows)
        sound = np.isfinite(found).all(axis=1) & (found[:, 2:] > found[:, :2]).all(1)
        if not sound.any():
            return Detections.none()
        strength = scores[rows[sound]]
        if self.logits:
            strength = (1 / (1 + np.exp(-strength))).astype(np.float32)
        return _people(found[sound], strength, self.form.size, place)

    def _lowest(self) -> float:
        least = self.lowest_score
        return log(least / (1 - least)) if self.logits else least

    def _corners(self, written: Boxes, rows: NDArray[np.intp]) -> Boxes:
        if self.coding is None:
            return self.form.corners(written)
        return decode_boxes(written, self.coding.anchors[rows], self.coding)


def x_comes_first(rows: Boxes) -> bool:
    """Whether boxes begin with x: row by row over a grid, x changes faster than y."""
    middles = (rows[:, :2] + rows[:, 2:]) / 2
    first, second = np.median(np.abs(np.diff(middles, axis=0)), axis=0)
    return bool(first > second)


def decode_boxes(written: Boxes, anchors: Boxes, coding: Coding) -> Boxes:
    """(n, 4) corners of boxes written as y, x, height, width, relative to anchors.

    The centre is moved by shares of the anchor's size, and the size grows by a power of
    e (Ren et al. 2015, Faster R-CNN).
    """
    y, x, tall, wide = (written / np.array(coding.scales, np.float32)).T
    if coding.exponential:
        tall = np.exp(np.minimum(tall, LARGEST_EXPONENT))
        wide = np.exp(np.minimum(wide, LARGEST_EXPONENT))
    x = x * anchors[:, 2] + anchors[:, 0]
    y = y * anchors[:, 3] + anchors[:, 1]
    half_wide = wide * anchors[:, 2] / np.float32(2)
    half_tall = tall * anchors[:, 3] / np.float32(2)
    corners = [x - half_wide, y - half_tall, x + half_wide, y + half_tall]
    return np.stack(corners, axis=1)


def distinct(boxes: Boxes, limit: float) -> NDArray[np.intp]:
    """Rows of the boxes that overlap no stronger kept one by an IoU above ``limit``.

    ``boxes`` (n, 4) come strongest first.
    """
    x0, y0, x1, y1 = boxes.T
    wide = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0)
    tall = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    both = np.maximum(wide, 0) * np.maximum(tall, 0)
    area = (x1 - x0) * (y1 - y0)
    same = both > limit * (np.add.outer(area, area) - both)
    gone = np.zeros(len(boxes), np.bool_)
    for row in range(len(boxes)):
        if not gone[row]:
            gone[row + 1 :] |= same[row, row + 1 :]
    return np.flatnonzero(~gone)


def _people(
    boxes: Boxes, scores: Scores, size: tuple[int, int], place: Letterbox
) -> Detections:
    """Each person once; ``boxes`` come strongest first, in fractions of the input."""
    if len(boxes) > 1:
        kept = distinct(boxes, SAME_PERSON_IOU)
        boxes, scores = boxes[kept], scores[kept]
    heads = _heads(boxes, size[0] / size[1])
    return place.to_picture(Detections(boxes, scores, heads, _feet(boxes)))


def _heads(boxes: Boxes, aspect: float) -> Boxes:
    """A head at the top of each box, as an upright adult carries it."""
    tall = (boxes[:, 3] - boxes[:, 1]) / np.float32(HEADS_TALL)
    half = np.minimum(
        tall * np.float32(HEAD_ASPECT / aspect), boxes[:, 2] - boxes[:, 0]
    ) / np.float32(2)
    middle = (boxes[:, 0] + boxes[:, 2]) / np.float32(2)
    top = boxes[:, 1]
    return np.stack([middle - half, top, middle + half, top + tall], axis=1)


def _feet(boxes: Boxes) -> NDArray[np.float32]:
    middle = (boxes[:, 0] + boxes[:, 2]) / np.float32(2)
    return np.stack([middle, boxes[:, 3]], axis=1)


def _are_whole(values: NDArray[np.float32]) -> bool:
    return bool((values == values.round()).all())


def _are_scores(values: NDArray[np.float32]) -> bool:
    """Shares of one that are not all 0 or 1."""
    return bool(((values >= 0) & (values <= 1)).all()) and not _are_whole(values)
