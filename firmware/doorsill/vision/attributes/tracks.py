"""What people who come in look like, coarsely; off unless the policy allows it.

A track is read a few times while it is seen well, the answers are averaged, and
*unknown* is an answer. What was read lies in memory as a few shares until the track's
crossing is decided, and never longer than ``KEPT_S`` after the track ended.
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

Shares = NDArray[np.float32]  # (n, bands), each row sums to 1

READINGS = 8  # of one track at most
PER_FRAME = 2  # people who are read in one frame at most
EVERY_S = 0.2  # least time between two readings of one track
KEPT_S = HANDOVER_S + 0.5  # time after a track ended in which its crossing is decided


class AppearanceModel(Protocol):
    """Reads what people look like; see ``appearance.Appearance``."""

    def read(
        self, pixels: Pixels, heads: Boxes, bodies: Boxes
    ) -> tuple[Shares, Shares]:
        """Ages (n, 2) and expressions (n, 2); ``heads`` and ``bodies`` are (n, 4)."""

    def decide(self, ages: Shares, expressions: Shares) -> Attributes:
        """One answer from the rows of one track."""


@dataclass(slots=True)
class _Readings:
    """What was read of one track, averaged only at the end."""

    ages: list[Shares] = field(default_factory=list)
    expressions: list[Shares] = field(default_factory=list)
    last: float = float("-inf")  # when the track was last read, monotonic s
    ended: float | None = None  # when the track ended, monotonic s


def is_allowed(policy: Policy) -> bool:
    """Whether the controller has switched it on *and* put up a notice."""
    return policy.attributes and policy.notice is not None


class AttributeReader:
    """Averages over each track; ``open_model`` is called once, when first needed."""

    def __init__(self, open_model: Callable[[], AppearanceModel]) -> None:
        self._open_model = open_model
        self._model: AppearanceModel | None = None
        self._tracks: dict[int, _Readings] = {}

    def __len__(self) -> int:
        """How many tracks were read and are not yet forgotten."""
        return len(self._tracks)

    def update(
        self, pixels: Pixels, found: Detections, tracks: Tracks, now: float
    ) -> None:
        """Read those who are due; call once per frame, before ``decide``.

        ``tracks`` are those that ``found`` led to; ``now`` is monotonic seconds.
        """
        rows = self._due(tracks, now)
        if len(rows):
            if self._model is None:
                self._model = self._open_model()
            seen = tracks.detection[rows]
            ages, expressions = self._model.read(
                pixels, found.heads[seen], found.boxes[seen]
            )
            for row, age, expression in zip(rows, ages, expressions, strict=True):
                kept = self._tracks.setdefault(int(tracks.ids[row]), _Readings())
                kept.ages.append(age)
                kept.expressions.append(expression)
                kept.last = now
        self._forget(tracks, now)

    def decide(self, crossing: Crossing) -> Attributes:
        """What the person who crossed looked like; it is forgotten with the answer."""
        kept = self._tracks.pop(crossing.track, None)
        if kept is None or self._model is None:
            return Attributes()
        return self._model.decide(np.stack(kept.ages), np.stack(kept.expressions))

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
