"""What tests of the training stand on: rows of labels, worlds on disk, a painter."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from doorsill_train import labels
from doorsill_train.paint.camera import Camera
from doorsill_train.paint.painter import TILE, Draw, Light
from doorsill_train.paint.solids import COLUMNS
from doorsill_train.shards import HEIGHT, WIDTH, save_shard

IN_FULL_VIEW = {
    "head_x0": 100, "head_y0": 50, "head_x1": 130, "head_y1": 80,
    "body_x0": 80, "body_y0": 50, "body_x1": 150, "body_y1": 200,
    "foot_x": 115, "foot_y": 195,
    "head_seen": 1, "head_inside": 1, "body_seen": 1,
    "head_contrast": 50, "body_contrast": 50,
}  # fmt: skip


def row(**values: float) -> np.ndarray:
    """(1, 23): a person in full view, but for what is given."""
    out = np.zeros((1, len(labels.NAMES)), np.float32)
    for name, value in (IN_FULL_VIEW | values).items():
        out[0, labels.COLUMN[name]] = value
    return out


def nobody() -> np.ndarray:
    """(0, 23)."""
    return np.zeros((0, len(labels.NAMES)), np.float32)


def save_world(
    folder: Path,
    seed: int,
    views: list[str],
    rows: list[np.ndarray] | None = None,
    grey: int = 0,
) -> None:
    """One picture for each view, of one grey; without rows there is nobody."""
    frames = [np.full((5, HEIGHT, WIDTH), grey, np.uint8) for _ in views]
    save_shard(folder, seed, frames, rows or [nobody() for _ in views], views=views)


@dataclass(slots=True)
class Held:
    """A mesh that a painter holds."""

    vertices: np.ndarray
    freed: int = 0

    def free(self) -> None:
        self.freed += 1


@dataclass(slots=True)
class NotingPainter:
    """Paints nothing; notes what it holds and what it was asked to paint."""

    held: list[Held] = field(default_factory=list)
    painted: list[list[Draw]] = field(default_factory=list)
    identified: list[list[Draw]] = field(default_factory=list)

    def upload(self, vertices: np.ndarray, faces: np.ndarray | None = None) -> Held:
        assert vertices.shape[1] == COLUMNS
        self.held.append(Held(vertices))
        return self.held[-1]

    def set_pictures(self, images: np.ndarray) -> None:
        assert images.shape[1:] == (TILE, TILE, 3)

    def render(self, draws: list[Draw], camera: Camera, light: Light) -> np.ndarray:
        self.painted.append(draws)
        return np.full((camera.height, camera.width, 3), float(len(self.painted)))

    def identify(self, draws: list[Draw], camera: Camera) -> np.ndarray:
        self.identified.append(draws)
        return np.zeros((camera.height, camera.width, 2), np.uint8)
