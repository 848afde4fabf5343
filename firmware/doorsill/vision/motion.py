"""Whether a frame is worth looking at: at an idle door hardly any is.

    green, every 4th pixel ─► means of 4 x 4 samples (a cell: 16 x 16 pixels)
        │
        ├─ against the background: somebody came in, or stands there
        └─ against the last frame: somebody moves

It errs towards looking: while anybody is followed, while it learns the scene, after a
gap, and every LONGEST_REST_S. A change that the detector looked at without finding
anybody (a shadow, a parked cart, another light) becomes background within a second;
while somebody is followed nothing that changed does. All that it keeps is a few hundred
means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Frame, Pixels

Cells = NDArray[np.float32]

STEP = 4  # pixels from sample to sample
BLOCK = 4  # samples a side of a cell
GREEN = 1
LONGEST_REST_S = 2.0
LEARNING_S = 2.0  # as long as a scene is new, every frame is worth it
GAP_S = 1.0  # after a longer pause nothing is known
DRIFT_LEVELS_PER_S = 2.0  # how fast daylight may change unnoticed, of 256
SETTLE_S = 0.5  # in which a change without people becomes background
LEAST_CHANGE = 3.0  # levels of a cell's mean
NOISES = 7.0  # a change is this many times the usual step from frame to frame
MOST_NOISE = 2.5  # levels; a scene that steps more is not noisy, it moves
NOISE_S = 2.0  # in which the noise is learnt
LEARN_EVERY_S = 0.25  # while nothing moves
KEEP_UP_S = 1.0  # while somebody is followed, and every frame is wanted in any case


class MotionGate:
    """Decides frame by frame; made once per camera."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._coarse = Coarse(0, 0)
        self._known: Cells = np.zeros((2, 0, 0), np.float32)  # background, last frame
        self._noise = 0.0
        self._new = 0.0  # s, since when the scene is known
        self._last = float("-inf")  # s, the last frame
        self._learned = 0.0  # s, when the background was last adapted
        self._looked = float("-inf")  # s, the last frame that was worth it

    def wants(self, frame: Frame, *, following: bool) -> bool:
        """False only where nothing moves and nobody is being followed."""
        now, pixels = frame.time, frame.pixels
        if pixels.shape != self._shape or not 0.0 < now - self._last < GAP_S:
            self._begin(pixels, now)
        self._last = now
        if following and now - self._learned < KEEP_UP_S:
            self._looked = now
            return True
        cells = self._coarse.cells(pixels)
        away = cells - self._known
        changed = np.abs(away) > max(LEAST_CHANGE, NOISES * self._noise)
        moved = bool(changed.any())
        if moved or now - self._learned >= LEARN_EVERY_S:
            self._learn(away, changed if moved else None, now, following)
        self._known[1] = cells
        learning = now - self._new < LEARNING_S
        if moved or following or learning or now - self._looked >= LONGEST_REST_S:
            self._looked = now
            return True
        return False

    def _begin(self, pixels: Pixels, now: float) -> None:
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._coarse = Coarse(*pixels.shape[:2])
        cells = self._coarse.cells(pixels)
        self._known = np.stack([cells, cells])
        self._new = self._last = self._learned = now

    def _learn(
        self, away: Cells, changed: NDArray[np.bool_] | None, now: float, held: bool
    ) -> None:
        """Let the background follow; with ``held`` only where nothing changed."""
        seconds, self._learned = now - self._learned, now
        drift = DRIFT_LEVELS_PER_S * seconds
        follow = np.minimum(np.maximum(away[0], -drift), drift)
        if changed is not None:
            share = 0.0 if held else min(1.0, seconds / SETTLE_S)
            follow = np.where(changed[0], away[0] * np.float32(share), follow)
        self._known[0] += follow
        if not held:
            usual = min(MOST_NOISE, _middle(np.abs(away[1])))
            self._noise += min(1.0, seconds / NOISE_S) * (usual - self._noise)


class Coarse:
    """Averages the green channel over cells, as two small matrix products."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, height: int, width: int) -> None:
        self._rows = _averages(len(range(STEP // 2, height, STEP)))
        self._columns = _averages(len(range(STEP // 2, width, STEP))).T

    def cells(self, pixels: Pixels) -> Cells:
        """(rows, columns) means in 0..255; a rest at the edge joins the last cell."""
        samples = pixels[STEP // 2 :: STEP, STEP // 2 :: STEP, GREEN]
        means: Cells = self._rows @ samples.astype(np.float32) @ self._columns
        return means


def _middle(values: Cells) -> float:
    flat = values.reshape(-1)
    half = len(flat) // 2
    return float(np.partition(flat, half)[half]) if len(flat) else 0.0


def _averages(samples: int) -> Cells:
    """(cells, samples) weights; each row averages one cell."""
    cells = max(1, samples // BLOCK) if samples else 0
    at = np.minimum(np.arange(samples) // BLOCK, max(0, cells - 1))
    weights = (at == np.arange(cells)[:, None]).astype(np.float32)
    rows: Cells = weights / np.maximum(weights.sum(1, keepdims=True), 1)
    return rows
