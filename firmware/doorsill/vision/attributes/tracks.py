"""What people who come in look like, coarsely; off unless the policy allows it.

A track is looked at a few times while it is seen well, the answers are averaged, and
*unknown* is an answer. What was read lies in memory as a handful of shares until the
track's crossing is decided, and never longer than the line's own hand-over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from doorsill.policy.document import Policy
from doorsill.values import Attributes, Boxes, Crossing, Detections, Pixels, Tracks
from doorsill.vision.count.loose_ends import HANDOVER_S

Shares = NDArray[np.float32]  # (n, labels), each row sums to 1

READINGS = 8  # of one track at most
PER_FRAME = 2  # people looked at in one frame at most
EVERY_S = 0.2  # between two readings of one track
KEPT_S = HANDOVER_S + 0.5  # after a track ended, until its crossing is decided


class Reader(Protocol):
    """Reads crops; see ``appearance.Appearance``."""

    def read(
        self, pixels: Pixels, heads: Boxes, bodies: Boxes
    ) -> tuple[Shares, Shares]:
        """Ages and expressions of people by their heads and bodies, (n, 4) each."""

    def decided(self, ages: Shares, expressions: Shares) -> Attributes:
        """One answer from the rows of one track."""


@dataclass(slots=True)
class _Readings:
    """What was read of one track, averaged only at the end."""

    ages: list[Shares] = field(default_factory=list)
    expressions: list[Shares] = field(default_factory=list)
    last: float = float("-inf")
    ended: float | None = None


def allowed(policy: Policy) -> bool:
    """Only where the controller switched it on *and* put up a notice."""
    return policy.attributes and policy.notice is not None


class Looks:
    """Averages over each track; ``open_reader`` is called once, when first needed."""

    def __init__(self, open_reader: Callable[[], Reader]) -> None:
        self._open_reader = open_reader
        self._reader: Reader | None = None
        self._tracks: dict[int, _Readings] = {}

    def __len__(self) -> int:
        """How many tracks something is known about."""
        return len(self._tracks)

    def update(
        self, pixels: Pixels, found: Detections, tracks: Tracks, now: float
    ) -> None:
        """Read those who are due; call once per frame, before ``decide``.

        ``tracks`` are those that ``found`` led to.
        """
        rows = self._due(tracks, now)
        if len(rows):
            if self._reader is None:
                self._reader = self._open_reader()
            seen = tracks.detection[rows]
            ages, expressions = self._reader.read(
                pixels, found.heads[seen], found.boxes[seen]
            )
            for row, age, expression in zip(rows, ages, expressions, strict=True):
                kept = self._tracks.setdefault(int(tracks.ids[row]), _Readings())
                kept.ages.append(age)
                kept.expressions.append(expression)
                kept.last = now
        self._forget(tracks, now)

    def decide(self, crossing: Crossing) -> Attributes:
        """What the one who crossed looked like; forgotten with the answer."""
        kept = self._tracks.pop(crossing.track, None)
        if kept is None or self._reader is None:
            return Attributes()
        return self._reader.decided(np.stack(kept.ages), np.stack(kept.expressions))

    def _due(self, tracks: Tracks, now: float) -> Sequence[int]:
        """Rows to read: seen in this frame, confirmed, the least read first."""
        seen = np.flatnonzero(tracks.confirmed & (tracks.detection >= 0)).tolist()
        due = []
        for row in seen:
            kept = self._tracks.get(int(tracks.ids[row]))
            count = 0 if kept is None else len(kept.ages)
            rested = kept is None or now - kept.last >= EVERY_S
            if count < READINGS and rested:
                due.append((count, row))
        return [row for _, row in sorted(due)[:PER_FRAME]]

    def _forget(self, tracks: Tracks, now: float) -> None:
        if not self._tracks:
            return
        alive = set(tracks.ids.tolist())
        for track, kept in list(self._tracks.items()):
            if track in alive:
                continue
            if kept.ended is None:
                kept.ended = now
            elif now - kept.ended > KEPT_S:
                del self._tracks[track]
