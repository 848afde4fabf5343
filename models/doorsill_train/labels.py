"""What is known about each rendered person, one row of float32 per person.

Boxes are in pixels of the 320 x 256 image. ``*_seen`` is the visible share,
``*_contrast`` the mean difference from the empty scene in grey levels: a label that
cannot be seen is not used (``usable``).
"""

from __future__ import annotations

import numpy as np

NAMES = (
    *("head_x0", "head_y0", "head_x1", "head_y1"),
    *("body_x0", "body_y0", "body_x1", "body_y1", "foot_x", "foot_y"),
    *("head_seen", "head_inside", "body_seen", "head_contrast", "body_contrast"),
    *("body_area", "band", "masculinity", "tone", "weight", "age", "height_m"),
    "still",
)
COLUMN = {name: i for i, name in enumerate(NAMES)}
HEAD, BODY, FOOT = slice(0, 4), slice(4, 8), slice(8, 10)
SMALLEST_HEAD_PX = 9
LEAST_INSIDE = 0.4  # of a head's box


def edges(rows: np.ndarray) -> np.ndarray:
    """(n, 2) width and height of what is seen of each body, pixels."""
    sides: np.ndarray = rows[:, [6, 7]] - rows[:, [4, 5]]
    return sides


def headless(rows: np.ndarray) -> np.ndarray:
    """(n,) True where the picture's edge cuts the head off and a clear body is left."""
    wide, tall = edges(rows).T
    found: np.ndarray = (
        (rows[:, COLUMN["head_inside"]] < LEAST_INSIDE)
        & (rows[:, COLUMN["body_seen"]] >= 0.6)
        & (rows[:, COLUMN["body_contrast"]] >= 12)
        & (np.minimum(wide, tall) >= 14)
        & (wide * tall >= 600)
    )
    return found


def ignored(rows: np.ndarray) -> np.ndarray:
    """(n, 4) boxes in which an answer, right or wrong, says nothing about heads.

    Heads that need not be found, and bodies whose head lies beyond the picture's edge:
    who is marked there is a person, but shows no head to compare with.
    """
    good, cut = usable(rows), headless(rows)
    return np.concatenate([rows[~good][:, HEAD], rows[~good & cut][:, BODY]])


def usable(rows: np.ndarray) -> np.ndarray:
    """(n,) True where a head is to be found; the others are ignored."""
    size = np.maximum(rows[:, 2] - rows[:, 0], rows[:, 3] - rows[:, 1])
    found: np.ndarray = (
        (rows[:, COLUMN["head_seen"]] >= 0.4)
        & (rows[:, COLUMN["head_inside"]] >= LEAST_INSIDE)
        & (rows[:, COLUMN["body_seen"]] >= 0.25)
        & (rows[:, COLUMN["head_contrast"]] >= 8)
        & (rows[:, COLUMN["body_contrast"]] >= 9)
        & (size >= SMALLEST_HEAD_PX)
    )
    return found
