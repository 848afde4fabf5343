"""Where the picture lies in a model's input, and the way back from there.

picture 16:9            model input 5:4
┌────────────┐          ┌──────────┐
│            │  centred │▒▒▒▒▒▒▒▒▒▒│ grey
│            │ ───────► │          │
└────────────┘          │▒▒▒▒▒▒▒▒▒▒│ grey
                        └──────────┘
"""

from __future__ import annotations

import numpy as np

from doorsill.errors import ConfigError
from doorsill.values import Detections
from doorsill.vision.detect.bars import Inside


class Letterbox:
    """Where a picture of ``content`` lies in an input of ``size``.

    Both are width and height in pixels. A place in the picture is ``scale`` times the
    place in the input, less ``shift``, across and down, in fractions. Raises
    :class:`ConfigError` when it does not fit.
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

    def within(self, picture: tuple[int, int], inside: Inside) -> Letterbox:
        """The same place, for a picture of which only ``inside`` is in the input.

        ``picture`` is its width and height in pixels.
        """
        (width, height), (top, bottom, left, right) = picture, inside
        wide, tall = (right - left) / width, (bottom - top) / height
        self.scale = (self.scale[0] * wide, self.scale[1] * tall)
        self.shift = (
            self.shift[0] * wide - left / width,
            self.shift[1] * tall - top / height,
        )
        return self

    def to_picture(self, found: Detections) -> Detections:
        """From fractions of the input to fractions of the picture.

        Boxes are cut at the picture's edge; what lies beside it entirely is dropped.
        """
        if not len(found):
            return found
        scale = np.array(self.scale * 2, np.float32)
        shift = np.array(self.shift * 2, np.float32)
        boxes = np.clip(found.boxes * scale - shift, 0, 1)
        heads = found.heads * scale - shift
        feet = found.feet * scale[:2] - shift[:2]
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return Detections(
            boxes[inside], found.scores[inside], heads[inside], feet[inside]
        )


WHOLE = Letterbox((1, 1), (1, 1))  # the picture fills the input
