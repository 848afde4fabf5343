"""Whether people can be counted in a picture, and what to change at the camera.

A count of 0 may mean that nobody came, or that the camera looks the wrong way. Sums are
kept, never a picture: who was followed, how high heads are in the model's input, how
many feet lie below the picture, and which rows and columns never show anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from doorsill.values import Frame
from doorsill.vision.pipeline import Seen

LEAST_RATE = 3.0  # frames a second: below it people cannot be followed
MOST_RATE = 480.0  # frames a second; no camera over a door is faster
SAME_STEP = 0.01  # share by which a step may be longer: stamps are rounded
BREAK_S = 10.0  # a longer time without a frame is a break, as where motion is recorded
SLOW_SHARE = 0.1  # share of the time below LEAST_RATE from which it is remarked
LEAST_HEAD = 9.0  # height of a head in the model's input, pixels: lower ones are missed
PEOPLE_LIMIT = 20_000  # people who are remembered by number; a recording may be long
LEAST_PIXELS = 5000  # of a stored picture, all together; 96 x 54 still counts right
LOOK_AT = 50  # frames in which bars are looked for
BAR_LEVELS = 12  # a row or column that spans fewer levels holds no picture, of 256
EVERY = 4  # from sample to sample of a row or column, pixels
MOSTLY = 0.25  # share of the picture in bars from which they are remarked
PART = 0.5  # share of the people from which a fault is the camera's


@dataclass(slots=True)
class Steps:
    """How long it was from frame to frame: sums over a recording."""

    count: int = 0
    slow: int = 0  # of them, those that are too long to follow people
    fast: int = 0  # of them, those that are too short to be true
    seconds: float = 0.0  # all together
    slow_s: float = 0.0  # of the slow ones that are no break
    running_s: float = 0.0  # of all that are no break
    _last: float | None = None  # time of the last frame, s

    def note(self, time: float) -> None:
        """Add a frame of this ``time``, s."""
        step = 0.0 if self._last is None else time - self._last
        self._last = time
        if step <= 0:
            return
        self.count += 1
        self.seconds += step
        slow = step * LEAST_RATE > 1.0 + SAME_STEP
        self.slow += slow
        self.fast += step * MOST_RATE < 1.0 - SAME_STEP
        if step <= BREAK_S:
            self.running_s += step
            self.slow_s += step * slow


@dataclass(slots=True)
class Sights:
    """Sums over a recording."""

    steps: Steps = field(default_factory=Steps)
    stored: tuple[int, int] | None = None  # width, height of a picture in the file
    followed: dict[int, bool] = field(default_factory=dict)  # id: feet seen inside?
    unconfirmed: int = 0  # frames with detections of which nobody was followed
    heads: list[float] = field(default_factory=list)  # heights, pixels
    _rows: NDArray[np.bool_] | None = None  # rows that showed something
    _columns: NDArray[np.bool_] | None = None  # columns that showed something
    _looked: int = 0  # frames in which bars were looked for
    _height: int = 0  # of the picture, pixels

    @property
    def people(self) -> int:
        """How many were followed; somebody lost and found again counts twice."""
        return len(self.followed)

    @property
    def feet_outside(self) -> int:
        """How many of them never had their feet inside the picture."""
        return sum(not inside for inside in self.followed.values())

    @property
    def head_pixels(self) -> float:
        """Median of the heads' heights, in pixels of the model's input."""
        return float(np.median(self.heads)) if self.heads else 0.0

    @property
    def bars(self) -> float:
        """The share of the picture that lies in rows and columns without anything."""
        if self._rows is None or self._columns is None:
            return 0.0
        return 1.0 - float(self._rows.mean() * self._columns.mean())

    def look_for_bars(self, frame: Frame) -> None:
        """Look for rows and columns without a picture, in the first frames."""
        if self._looked >= LOOK_AT:
            return
        self._looked += 1
        green = frame.pixels[..., 1]
        self._height = green.shape[0]
        rows = np.ptp(green[:, ::EVERY], axis=1) > BAR_LEVELS
        columns = np.ptp(green[::EVERY], axis=0) > BAR_LEVELS
        self._rows = rows if self._rows is None else self._rows | rows
        self._columns = columns if self._columns is None else self._columns | columns

    def note(self, seen: Seen) -> None:
        """Add one frame's people."""
        tracks, found = seen.tracks, seen.detections
        confirmed = tracks.confirmed.tolist()
        if not any(confirmed):
            self.unconfirmed += len(found) > 0
            return
        who = zip(tracks.ids.tolist(), tracks.detection.tolist(), strict=True)
        for row, (identity, detected) in enumerate(who):
            if not confirmed[row] or detected < 0:
                continue
            if identity not in self.followed and self.people >= PEOPLE_LIMIT:
                continue
            before = self.followed.get(identity, False)
            self.followed[identity] = before or bool(tracks.feet[row, 1] <= 1.0)
            if len(self.heads) < PEOPLE_LIMIT:
                _, top, _, bottom = found.heads[detected].tolist()
                self.heads.append((bottom - top) * self._height)


def remarks(sights: Sights) -> Iterator[str]:
    """What to change so that the next recording counts better, one sentence each."""
    yield from itertools.chain(
        _of_the_rate(sights.steps), _of_the_picture(sights), _of_people(sights)
    )


def _of_the_rate(steps: Steps) -> Iterator[str]:
    """Of the frames as they mostly come; a part in which they come slowly counts too.

    An average would not do: breaks make it small, and a fast part hides a slow one.
    """
    if 2 * steps.fast > steps.count:
        yield (
            f"{steps.count / steps.seconds:.4g} frames a second: no camera films a "
            "door like that, so the times of its pictures are wrong, and this count "
            "with them; say how many there are a second, such as --frame-rate 12.5"
        )
    elif 2 * steps.slow > steps.count:
        yield (
            f"{steps.count / steps.seconds:.2g} frames a second: people cannot be "
            f"followed below {LEAST_RATE:g}, so this count is not to be trusted; "
            "record 10 or more"
        )
    elif steps.slow_s > SLOW_SHARE * steps.running_s:
        yield (
            f"for {steps.slow_s:.0f} of {steps.running_s:.0f} s there were fewer than "
            f"{LEAST_RATE:g} frames a second: people cannot be followed there, so this "
            "count is not to be trusted; record 10 or more all the time"
        )


def _of_the_picture(sights: Sights) -> Iterator[str]:
    width, height = sights.stored or (LEAST_PIXELS, 1)
    if width * height < LEAST_PIXELS:
        yield (
            f"its pictures are {width} x {height} pixels: people cannot be kept "
            "apart in so few, so this count is not to be trusted; record 160 x 90 "
            "or more"
        )
    if sights.bars > MOSTLY:
        yield (
            f"bars without a picture take {sights.bars:.0%} of it, so people are seen "
            "smaller than they could be; record without bars, or crop them"
        )


def _of_people(sights: Sights) -> Iterator[str]:
    if not sights.people:
        if sights.unconfirmed:
            yield (
                "something like a person was seen now and then, and nobody long enough "
                "to be followed: too far away, hidden, or too few frames a second"
            )
        return
    if 0 < sights.head_pixels < LEAST_HEAD:
        yield (
            f"heads are {sights.head_pixels:.0f} pixels high as the model sees them "
            f"(it wants {LEAST_HEAD:g} or more): hang the camera nearer, or use a "
            "narrower lens"
        )
    if sights.feet_outside > PART * sights.people:
        yield (
            f"{sights.people} people seen, the feet of {sights.feet_outside} below the "
            "picture: the camera looks too level or hangs too near; tilt it down, or "
            "lay the line where feet are seen"
        )
