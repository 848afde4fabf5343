"""Photographs without people: what surfaces show, and the light of real places.

``publish.photographs`` fetches and checks them into a folder:

    tiles.npy    (n, 512, 512, 3) uint8
    uses.json    what each tile is for, in order, some of ``USES``
    lights.npy   (m, 16, 32, 3) float32, linear: each row looks one height around

Everything else is invented, so a folder that is not there only makes worlds plainer.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from doorsill_train.paint.painter import TILE, Light
from doorsill_train.shards import LUMA

STORED = 512  # pixels of a stored tile's edge
USES = ("ground", "wall", "view", "goods", "cloth")
SUN_ABOVE = 4.0  # times the mean, where the brightest place of a sky is a sun

Rng = np.random.Generator


class Photographs:
    """The tiles and lights of one folder, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self._tiles = np.load(folder / "tiles.npy", mmap_mode="r")
        self._lights = np.load(folder / "lights.npy")
        uses = json.loads((folder / "uses.json").read_text())
        self._of = {use: [i for i, u in enumerate(uses) if use in u] for use in USES}

    def tile(self, use: str, rng: Rng) -> np.ndarray:
        """(TILE, TILE, 3) uint8: a part of a photograph, in some of its colours."""
        stored = np.asarray(self._tiles[rng.choice(self._of[use])])
        size = int(rng.integers(TILE // 2, STORED + 1)) if use != "view" else STORED
        top, left = rng.integers(0, STORED - size + 1, 2)
        part = Image.fromarray(stored[top : top + size, left : left + size])
        out = np.asarray(part.resize((TILE, TILE), Image.Resampling.BOX))
        if use != "view" and rng.random() < 0.5:
            out = np.rot90(out, int(rng.integers(4)))
        gain = np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.06, 3))
        shown: np.ndarray = np.clip(out * gain, 0, 255).astype(np.uint8)
        return shown

    def light(self, rng: Rng) -> Light:
        """A real place's light, turned around and as bright as those invented."""
        around = self._lights[rng.integers(len(self._lights))]
        return light_of(np.roll(around, int(rng.integers(32)), axis=1), rng)


def light_of(around: np.ndarray, rng: Rng) -> Light:
    """(h, w, 3) linear, from straight up to straight down, as sun, sky and ground."""
    height, width = around.shape[:2]
    down = (np.arange(height) + 0.5) / height * np.pi
    area = np.sin(down)[:, None, None]
    half = height // 2
    sky, ground = (
        (part * share).sum(axis=(0, 1)) / share.sum() / width
        for part, share in ((around[:half], area[:half]), (around[half:], area[half:]))
    )
    luma = around[:half] @ LUMA
    row, column = np.unravel_index(luma.argmax(), luma.shape)
    turn, up = (column + 0.5) / width * 2 * np.pi, np.pi / 2 - down[row]
    to = np.array([np.cos(turn) * np.cos(up), np.sin(up), np.sin(turn) * np.cos(up)])
    to[1] = max(to[1], 0.35)  # a shadow's map reaches no further
    scale = rng.uniform(0.35, 0.9) / max(float(sky @ LUMA), 1e-3)
    sky, ground = sky * scale, np.clip(ground * scale, sky * scale * 0.15, 1.2)
    above = float(luma.max() / max(luma.mean(), 1e-6))
    bright = around[row, column] / max(float(luma.max()), 1e-6)
    strength = rng.uniform(0.3, 1.1) if above > SUN_ABOVE else rng.uniform(0.03, 0.4)
    return Light(to / np.linalg.norm(to), sky, ground, bright * strength)
