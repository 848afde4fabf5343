"""Whether the camera really sees the door: covered, dark, moved, frozen, too slow.

    green channel, sampled ─► ROWS x n cell means ─► level, contrast   now
                         │                       └─► relief            against the
                         └─► mean step from sample to sample           reference

The *relief* is each cell less the mean of its neighbours, scaled to unit length: it is
the scene's pattern without its light. The reference is such numbers, learned in the
first seconds and then adapted slowly to the light of the day; no picture is kept. A
relief that stays unlike the reference means that the camera was moved. The reference
then stays as it is until the process starts again, because a line that was drawn for
another view counts wrongly. A sensor never gives the same picture twice, to the last
bit: where no sample changes for ``FROZEN_S``, the driver hands out an old picture.

A fault is reported once it has lasted for ``HOLD_S``, until it has been gone as long.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Frame, Pixels, Quality

Array = NDArray[np.float32]

EVERY_S = 1.0  # between two pictures that are judged
HOLD_S = 2.0  # a fault that lasts this long is reported
FROZEN_S = 10.0  # a picture without a changed sample for this long is frozen
MOVED_S = 8.0  # HOLD_S for a moved camera: people stand in the way for less time
LEARN_S = 3.0  # time in which the reference is learned
ROWS = 18  # cells from top to bottom
SAMPLES = 3  # of a cell, in each direction
GREEN = 1  # the channel that is sampled, of R, G, B
DARK_LEVEL = 32.0  # dark: nine tenths of the cells are below it, of 256
BRIGHT_LEVEL = 235.0  # bright: nine tenths of the cells are above it, of 256
FLAT_STEP = 0.35  # covered: share of the reference that the steps are below
FLAT_CONTRAST = 0.5  # covered: share of the reference that the contrast is below
UNIFORM_CONTRAST = 4.0  # covered in any case: the contrast is below it, levels
UNLIKE = 0.35  # moved: the relief's likeness to the reference is below it, -1 to 1
RECENT_S = 4.0  # time constant of the recent relief, so that passers-by wash out
FOLLOW_S = 900.0  # time constant with which the reference follows the day
LEAST_RATE = 7.0  # frames a second: a walker is seen before, on and after a line
RATE_S = 3.0  # time constant of the frame rate
PAUSE_S = 2.0  # a longer time between frames is a gap of the window, not a frame rate
UNSEEN = Quality.COVERED | Quality.DARK | Quality.BRIGHT  # nothing is seen of the door


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One picture as a few numbers."""

    low: float  # the level that a tenth of the cells is below
    high: float  # the level that a tenth of the cells is above
    mark: int  # CRC-32 of the samples: another picture has another one
    step: float  # mean difference of neighbouring samples, levels
    contrast: float  # standard deviation of the cells, levels
    relief: Array  # (rows - 2, columns - 2)


@dataclass(slots=True)
class _Held:
    """A fault that is reported once it lasted, until it has been gone as long."""

    least: float  # time that it must last, s
    reported: bool = False
    changed: float | None = None  # when it became other than reported, s

    def update(self, present: bool, now: float) -> bool:
        if present == self.reported:
            self.changed = None
        elif self.changed is None:
            self.changed = now
        if self.changed is not None and now - self.changed >= self.least:
            self.reported, self.changed = present, None
        return self.reported


class QualityWatch:
    """Judges one camera; call it with every frame, of which one a second is read."""

    def __init__(self) -> None:
        self._held = {
            Quality.DARK: _Held(HOLD_S),
            Quality.BRIGHT: _Held(HOLD_S),
            Quality.COVERED: _Held(HOLD_S),
            Quality.MOVED: _Held(MOVED_S),
        }
        self._mark = -1  # of the last picture that was judged
        self._same_since = 0.0  # when the picture last changed, s
        self._reported = Quality.GOOD
        self._shape: tuple[int, ...] = ()
        self._judged = float("-inf")  # when a picture was last judged, s
        self._last: float | None = None  # time of the last frame, s
        self._step_s = 0.0  # smoothed seconds from frame to frame
        self._reference: _View | None = None
        self._learned = 0.0  # time for which the reference was learned, s
        self._recent: Array | None = None

    def judge(self, frame: Frame) -> Quality:
        """What is wrong with this frame, in bits of :class:`Quality`; 0 is good."""
        slow = self._rate(frame.time)
        if not 0.0 <= frame.time - self._judged < EVERY_S:
            if frame.pixels.shape != self._shape:
                self._forget(frame.pixels.shape)
            self._reported = self._judge(_view_of(frame.pixels), frame.time)
            self._judged = frame.time
        if not slow:  # nearly always; joining flags takes 1 µs
            return self._reported
        return self._reported | slow

    def _rate(self, now: float) -> Quality:
        last, self._last = self._last, now
        if last is None or not 0.0 < now - last < PAUSE_S:
            return Quality.GOOD
        step = now - last
        share = min(1.0, step / RATE_S)
        self._step_s += share * (step - self._step_s) if self._step_s else step
        slow = self._step_s > 1 / LEAST_RATE
        return Quality.LOW_FRAME_RATE if slow else Quality.GOOD

    def _forget(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._reference, self._recent, self._learned = None, None, 0.0

    def _judge(self, view: _View, now: float) -> Quality:
        dark = view.high < DARK_LEVEL
        bright = view.low > BRIGHT_LEVEL
        covered = not (dark or bright) and self._is_covered(view)
        moved = self._held[Quality.MOVED].reported
        if not (dark or bright or covered):
            moved = self._is_moved(view)
        found = {
            Quality.DARK: dark,
            Quality.BRIGHT: bright,
            Quality.COVERED: covered,
            Quality.MOVED: moved,
        }
        faults = Quality.GOOD
        for fault, present in found.items():
            if self._held[fault].update(present, now):
                faults |= fault
        seen = not faults & UNSEEN  # what is dark, bright or covered may stay the same
        return faults | self._frozen(view, now, seen=seen)

    def _frozen(self, view: _View, now: float, *, seen: bool) -> Quality:
        if view.mark != self._mark or not seen:
            self._same_since = now
        self._mark = view.mark
        long = now - self._same_since >= FROZEN_S
        return Quality.FROZEN if long else Quality.GOOD

    def _is_covered(self, view: _View) -> bool:
        if view.contrast < UNIFORM_CONTRAST:
            return True
        reference = self._reference
        if reference is None or self._learned < LEARN_S:
            return False
        return (
            view.step < FLAT_STEP * reference.step
            and view.contrast < FLAT_CONTRAST * reference.contrast
        )

    def _is_moved(self, view: _View) -> bool:
        """Compare the recent relief with the reference; adapt the reference."""
        if self._reference is None or self._recent is None:
            self._reference, self._recent = view, view.relief
            return False
        self._recent = self._recent + EVERY_S / RECENT_S * (view.relief - self._recent)
        if self._learned < LEARN_S:
            self._learned += EVERY_S
            self._follow(view, EVERY_S / LEARN_S)
            return False
        unlike = _likeness(self._recent, self._reference.relief) < UNLIKE
        if not unlike and not self._held[Quality.MOVED].reported:
            self._follow(view, EVERY_S / FOLLOW_S)
        return unlike

    def _follow(self, view: _View, share: float) -> None:
        old = self._reference
        assert old is not None and self._recent is not None  # noqa: S101 - seen above
        self._reference = _View(
            view.low,
            view.high,
            view.mark,
            old.step + share * (view.step - old.step),
            old.contrast + share * (view.contrast - old.contrast),
            old.relief + share * (self._recent - old.relief),
        )


def _view_of(pixels: Pixels) -> _View:
    height = pixels.shape[0]
    stride = max(1, height // (ROWS * SAMPLES))
    seen = np.ascontiguousarray(pixels[::stride, ::stride, GREEN])
    samples = seen.astype(np.float32)
    rows, columns = samples.shape[0] // SAMPLES, samples.shape[1] // SAMPLES
    step = float(np.abs(samples[:, 1:] - samples[:, :-1]).mean())
    samples = samples[: rows * SAMPLES, : columns * SAMPLES]
    cells = samples.reshape(rows, SAMPLES, columns, SAMPLES).mean(axis=(1, 3))
    flat = np.sort(cells, axis=None)
    tenth = len(flat) // 10
    low, high = float(flat[tenth]), float(flat[len(flat) - tenth - 1])
    contrast = float(cells.std())
    return _View(low, high, zlib.crc32(seen.data), step, contrast, _relief(cells))


def _relief(cells: Array) -> Array:
    """Each inner cell less the mean of the eight around it, at unit length."""
    wide = cells[:, :-2] + cells[:, 1:-1] + cells[:, 2:]
    around = wide[:-2] + wide[1:-1] + wide[2:]
    relief = cells[1:-1, 1:-1] - around / 9
    size = float(np.sqrt((relief * relief).sum()))
    flat: Array = relief / max(size, 1e-3)
    return flat


def _likeness(one: Array, other: Array) -> float:
    size = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / max(size, 1e-6)
