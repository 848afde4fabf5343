"""Bars beside a picture: a recorder or a screen puts them there to fill its own shape.

    ▒▒▒▒▒▒▒▒▒▒  flat, of one colour,        The net sees people as large as it learned
    ┌────────┐  as thick on both sides,     them only where the picture fills its input,
    │        │  again and again             so the detector looks at the inside alone.
    └────────┘
    ▒▒▒▒▒▒▒▒▒▒

Only four numbers are kept. One look that sees something in a bar ends it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Pixels

FLAT = 12  # levels that a bar differs within itself, and from the other one, at most
LEAST_BAR = 0.04  # thickness of a bar, share of the picture's side
LEAST_INSIDE = 0.25  # what is between the bars, share of the picture's side
BLUR = 3  # pixels by which the end of a bar may move from look to look
LOOK_EVERY = 10  # frames from one look to the next
LOOKS = 3  # looks that have to agree


class Inside(NamedTuple):
    """What lies between the bars, in pixels; the ends are excluded."""

    top: int
    bottom: int
    left: int
    right: int


class BarWatch:
    """Looks at a frame now and then; made once per camera."""

    def __init__(self) -> None:
        self._frames = 0
        self._seen: Inside | None = None  # by the last look
        self._times = 0  # looks that saw the same, in a row
        self._inside: Inside | None = None

    def inside(self, pixels: Pixels) -> Inside | None:
        """Where the picture lies in ``pixels``, (height, width, 3); None: no bars."""
        self._frames += 1
        if (self._frames - 1) % LOOK_EVERY:
            return self._inside
        seen = find_inside(pixels)
        self._times = self._times + 1 if _are_alike(seen, self._seen) else 1
        self._seen = seen
        if not _are_alike(seen, self._inside):
            agreed = seen is not None and self._times >= LOOKS
            self._inside = seen if agreed else None
        return self._inside


def _are_alike(one: Inside | None, other: Inside | None) -> bool:
    """Whether two looks saw the same: a codec blurs where a bar ends."""
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= BLUR for a, b in zip(one, other, strict=True))


def find_inside(pixels: Pixels) -> Inside | None:
    """What lies between bars in ``pixels``, (height, width, 3); None: no bars."""
    height, width = pixels.shape[:2]
    top = _bar(pixels)
    rows = pixels[top : height - top]
    left = _bar(rows.swapaxes(0, 1))
    if not (top or left):
        return None
    return Inside(top, height - top, left, width - left)


def _bar(lines: Pixels) -> int:
    """How many first and last lines are bars, as many on both sides; 0: none are."""
    count = len(lines)
    first, last = lines[0], lines[-1]
    if not (_are_flat(lines[:1])[0] and _are_flat(lines[-1:])[0]):  # nearly always
        return 0
    if np.abs(first.mean(axis=0) - last.mean(axis=0)).max() > FLAT:
        return 0
    flat = _are_flat(lines)
    if flat.all():  # dark, or covered: there is no picture
        return 0
    thick = min(int(np.argmin(flat)), int(np.argmin(flat[::-1])))
    fits = count - 2 * thick >= LEAST_INSIDE * count
    return thick if fits and thick >= LEAST_BAR * count else 0


def _are_flat(lines: Pixels) -> NDArray[np.bool_]:
    """(n,) whether each of the ``lines``, (n, length, 3), is of one colour."""
    spread = lines.max(axis=1).astype(np.int16) - lines.min(axis=1)
    flat: NDArray[np.bool_] = (spread <= FLAT).all(axis=1)
    return flat
