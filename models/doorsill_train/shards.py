"""Pictures on disk, and what is true in them: one file for each world or shop.

A shard is ``NNNNNN.frames.npy`` (n, 5, 256, 320) uint8 - red, green, blue, luma one
step before, luma of the empty scene - and ``NNNNNN.labels.npz`` with the rows of
``labels``. Its number is the seed it was made from, and says whether it is held out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from doorsill_train import labels

WIDTH, HEIGHT, STRIDE = 320, 256, 8
ROWS, COLUMNS = HEIGHT // STRIDE, WIDTH // STRIDE
DOOR = WIDTH, 240  # a held-out door's picture, between two bars
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue
HELD_OUT = 900_000  # first seed that is never trained on
NEVER = 1_000_000  # beyond every seed
FRESH = 3.0  # how often scenes of fresh worlds are drawn, beside the others


def is_held_out(seed: int) -> bool:
    """Whether what is made from this seed is kept for judging."""
    return seed >= HELD_OUT


class Shards:
    """All finished shards of a folder, memory-mapped; ``look`` finds new ones.

    ``often`` says how often each scene is drawn, in relation to the others: three times
    as often from world ``fresh`` on, and ``above`` times as often if seen from above.
    """

    def __init__(
        self, folder: Path, held_out: bool, fresh: int = NEVER, above: float = 1.0
    ):
        self.folder, self.held_out = folder, held_out
        self.fresh, self.above = fresh, above
        self.frames: list[np.ndarray] = []
        self.rows: list[list[np.ndarray]] = []
        self.views: list[np.ndarray] = []
        self.seen: set[str] = set()
        self.index: list[tuple[int, int]] = []
        self.often: list[float] = []
        self.look()

    def look(self) -> int:
        for path in sorted(self.folder.glob("*.frames.npy")):
            seed = path.name[:6]
            if seed in self.seen or is_held_out(int(seed)) != self.held_out:
                continue
            table = np.load(self.folder / f"{seed}.labels.npz")
            self.frames.append(np.load(path, mmap_mode="r"))
            self.rows.append(np.split(table["rows"], np.cumsum(table["counts"])[:-1]))
            self.views.append(table["views"])
            shard = len(self.frames) - 1
            self.index += [(shard, i) for i in range(len(self.frames[-1]))]
            fresh = FRESH if int(seed) >= self.fresh else 1.0
            above = np.where(self.views[-1] == "overhead", self.above, 1.0)
            self.often += (fresh * above).tolist()
            self.seen.add(seed)
        return len(self.index)

    def get(self, at: int) -> tuple[np.ndarray, np.ndarray, str]:
        """Planes (5, h, w), label rows (n, 23), view."""
        shard, i = self.index[at]
        planes = np.asarray(self.frames[shard][i])
        return planes, self.rows[shard][i], str(self.views[shard][i])


def save_shard(
    folder: Path,
    seed: int,
    frames: list[np.ndarray],
    rows: list[np.ndarray],
    **more: Sequence[object],
) -> None:
    """The frames last, each under its name only when whole: then the shard is there.

    Two processes may make one shard, where a run was killed and its child goes on.
    """
    path = folder / f"{seed:06d}"
    counts = [len(each) for each in rows]
    table = {name: np.array(each) for name, each in more.items()}
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        np.savez(file, rows=np.concatenate(rows), counts=np.array(counts), **table)  # type: ignore[arg-type]  # its own options have other names
    partial.replace(path.with_suffix(".labels.npz"))
    with partial.open("wb") as file:
        np.save(file, np.array(frames))
    partial.replace(path.with_suffix(".frames.npy"))


def between_bars(
    planes: np.ndarray, rows: np.ndarray, top: int, grey: int, side: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Planes and rows with bars of ``top`` pixels above and below, ``side`` beside."""
    planes, rows, hidden = planes.copy(), rows.copy(), np.ones(planes.shape[1:], bool)
    hidden[top : HEIGHT - top, side : WIDTH - side] = False
    planes[:, hidden] = grey
    for first, low, high in ((0, side, WIDTH - side), (1, top, HEIGHT - top)):
        start, end = rows[:, first], rows[:, first + 2]
        seen = (np.minimum(end, high) - np.maximum(start, low)) / np.maximum(
            end - start, 1
        )
        rows[:, labels.COLUMN["head_inside"]] *= np.clip(seen, 0, 1)
        rows[:, [first + 4, first + 6]] = rows[:, [first + 4, first + 6]].clip(
            low, high
        )
    wide, tall = labels.edges(rows).T
    return planes, rows[(wide > 3) & (tall > 3)]
