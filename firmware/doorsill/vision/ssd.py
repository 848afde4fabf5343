"""The four results of ``TFLite_Detection_PostProcess``: any SSD of the field drops in.

SSD MobileNet, SSDLite MobileDet and EfficientDet-Lite files end in this operation. It
gives boxes (1, n, 4) as y0, x0, y1, x1, classes (1, n), scores (1, n) and a count.
Which output is which is asked of the operation, since exporters agree neither on the
order nor on the names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.runtime import POST_PROCESS, Interpreter, Output
from doorsill.errors import ConfigError
from doorsill.values import Boxes, Detections
from doorsill.vision.letterbox import Letterbox

LOWEST_SCORE = 0.3  # weaker ones are noise even for the tracker's second look
SAME_PERSON_IOU = 0.6
# A standing adult is 7 to 8 heads tall and a head is about 3/4 as wide as tall.
HEADS_TALL = 7.0
HEAD_ASPECT = 0.75


@dataclass(frozen=True, slots=True)
class SsdDecoder:
    """Decodes one model; ``order`` says where boxes, classes, scores, count lie."""

    order: tuple[int, int, int, int]
    aspect: float  # width of the input / its height
    person_class: int = 0
    lowest_score: float = LOWEST_SCORE

    def __call__(self, outputs: tuple[Output, ...], place: Letterbox) -> Detections:
        """People in fractions of the picture at ``place``, strongest first."""
        boxes, classes, scores, count = (outputs[i].values for i in self.order)
        total = float(count.flat[0])
        valid = int(min(total, scores.size)) if total > 0 else 0  # NaN is not above 0
        scores = scores.reshape(-1)[:valid]
        wanted = scores >= self.lowest_score
        wanted &= classes.reshape(-1)[:valid].round() == self.person_class
        wanted &= np.isfinite(boxes.reshape(-1, 4)[:valid]).all(axis=1)
        rows = np.flatnonzero(wanted)
        if not len(rows):
            return Detections.none()
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        found = boxes.reshape(-1, 4)[rows][:, [1, 0, 3, 2]]
        if len(rows) > 1:
            kept = distinct(found, SAME_PERSON_IOU)
            found, rows = found[kept], rows[kept]
        people = Detections(found, scores[rows], self._heads(found), _feet(found))
        return place.to_picture(people)

    def _heads(self, boxes: Boxes) -> Boxes:
        """A head at the top of each box, as an upright adult carries it."""
        tall = (boxes[:, 3] - boxes[:, 1]) / np.float32(HEADS_TALL)
        half = np.minimum(
            tall * np.float32(HEAD_ASPECT / self.aspect), boxes[:, 2] - boxes[:, 0]
        ) / np.float32(2)
        middle = (boxes[:, 0] + boxes[:, 2]) / np.float32(2)
        top = boxes[:, 1]
        return np.stack([middle - half, top, middle + half, top + tall], axis=1)


def ssd_decoder(interpreter: Interpreter, person_class: int = 0) -> SsdDecoder:
    """The decoder for a loaded model; a ConfigError when it is no finished SSD."""
    shapes = [output.tensor.shape for output in interpreter.outputs()]
    found = " and ".join(" x ".join(map(str, shape)) for shape in shapes)
    order = interpreter.post_process
    if len(order) != 4:
        raise ConfigError(
            f"the model gives {found} and has no {POST_PROCESS} operation:"
            " export it with post-processing (or give one of ours by its name)"
        )
    boxes, classes, scores, _ = (shapes[each] for each in order)
    n = boxes[-2] if len(boxes) > 1 else 0
    if boxes != (1, n, 4) or classes != (1, n) or scores != (1, n) or not n:
        raise ConfigError(
            f"the model gives {found}, an SSD gives 1 x n x 4, 1 x n, 1 x n and 1"
        )
    height, width = interpreter.input.shape[1:3]
    first, second, third, fourth = order
    return SsdDecoder((first, second, third, fourth), width / height, person_class)


def distinct(boxes: Boxes, limit: float) -> NDArray[np.intp]:
    """Rows, strongest first, that overlap no stronger kept one by IoU > ``limit``."""
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


def _feet(boxes: Boxes) -> NDArray[np.float32]:
    middle = (boxes[:, 0] + boxes[:, 2]) / np.float32(2)
    return np.stack([middle, boxes[:, 3]], axis=1)
