"""Whether the detector has to see a frame: at an idle door it hardly ever has to.

    green, every 4th pixel ─► means of 4 x 4 samples (a cell: 16 x 16 pixels)
        │
        ├─ against the background: somebody came in, or stands there
        └─ against the last frame: somebody moves

In doubt a frame is wanted: while anybody is followed, while the scene is being learned,
after a gap, and every LONGEST_REST_S. A change in which the detector found nobody (a
shadow, a parked cart, another light) becomes background within a second; while somebody
is followed, nothing that changed does. All that is kept is a few hundred means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Frame, Pixels

Cells = NDArray[np.float32]

STEP = 4  # from sample to sample, pixels
BLOCK = 4  # from cell to cell, samples
GREEN = 1  # the channel that is sampled, of R, G, B
LONGEST_REST_S = 2.0  # a frame is wanted at least this often
LEARNING_S = 2.0  # every frame of a scene that is newer than this is wanted
GAP_S = 1.0  # after a longer gap between frames the scene is new
DRIFT_LEVELS_PER_S = 2.0  # daylight may change this fast unnoticed, of 256 levels
SETTLE_S = 0.5  # time constant with which a change without people becomes background
LEAST_CHANGE = 3.0  # a smaller change of a cell's mean is none, levels
NOISES = 7.0  # a change is this many times the noise at least
MOST_NOISE = 2.5  # noise at most, levels: a scene that changes more moves
NOISE_S = 2.0  # time constant with which the noise is learned
LEARN_EVERY_S = 0.25  # between two adaptations of the background while nothing moves
KEEP_UP_S = 1.0  # between two adaptations while somebody is followed


class MotionGate:
    """Decides frame by frame; made once per camera."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._coarse = Coarse(0, 0)
        self._known: Cells = np.zeros((2, 0, 0), np.float32)  # background, last frame
        self._noise = 0.0  # usual change of a cell from frame to frame, levels
        self._new = 0.0  # when the scene was new, s
        self._last = float("-inf")  # time of the last frame, s
        self._learned = 0.0  # when the background was last adapted, s
        self._wanted = float("-inf")  # time of the last frame that was wanted, s

    def wants(self, frame: Frame, *, following: bool) -> bool:
        """False only where nothing moves and nobody is being followed."""
        now, pixels = frame.time, frame.pixels
        if pixels.shape != self._shape or not 0.0 < now - self._last < GAP_S:
            self._begin(pixels, now)
        self._last = now
        if following and now - self._learned < KEEP_UP_S:
            self._wanted = now
            return True
        cells = self._coarse.cells(pixels)
        away = cells - self._known
        changed = np.abs(away) > max(LEAST_CHANGE, NOISES * self._noise)
        moved = bool(changed.any())
        if moved or now - self._learned >= LEARN_EVERY_S:
            self._learn(away, changed if moved else None, now, following)
        self._known[1] = cells
        learning = now - self._new < LEARNING_S
        if moved or following or learning or now - self._wanted >= LONGEST_REST_S:
            self._wanted = now
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
        """Adapt the background; with ``held`` only where nothing changed."""
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
        """(rows, columns) means in 0..255; the last cell takes what is left over."""
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
