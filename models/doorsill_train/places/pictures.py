"""What the surfaces of a scene show: photographs, invented ones, and stills.

A still is a picture of an earlier scene, on a poster or a screen: people are on it, and
a counter does not count them, as they cross no line. So they are in no label.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from doorsill_train.paint.painter import LAYERS, TILE, Light
from doorsill_train.paint.photographs import Photographs
from doorsill_train.paint.solids import muted

Rng = np.random.Generator

# What each of the painter's pictures is for.
GROUND, WALL, POSTER, GOODS, CLOTH, VIEW, OTHER, SECOND_CLOTH = range(LAYERS)
USE = ("ground", "wall", "view", "goods", "cloth", "view", "wall", "cloth")
INVENTED_P = 0.15  # of the pictures, where there are photographs
STILL_P = 0.12  # of the scenes: the poster is a still
REAL_LIGHT_P = 0.5  # of the scenes, where there are photographs


def dead_leaves(rng: Rng) -> np.ndarray:
    """Dead leaves: (TILE, TILE, 3) of overlapping shapes at all scales, a busy wall."""
    image = Image.new("RGB", (TILE, TILE), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    mean, spread = muted(rng) * 200, rng.uniform(5, 30)
    for _ in range(rng.integers(60, 500)):
        size = np.exp(rng.uniform(np.log(4), np.log(90)))
        x, y = rng.uniform(-20, TILE, 2)
        colour = np.clip(mean + rng.normal(0, spread, 3) + rng.normal(0, 40), 0, 255)
        fill = tuple(int(c) for c in colour)
        box = (x, y, x + size * rng.uniform(0.3, 1.5), y + size)
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse(box, fill=fill)
        elif kind == 1:
            draw.polygon(
                [tuple(p) for p in np.add((x, y), rng.uniform(0, size, (4, 2)))], fill
            )
        elif kind == 2:
            draw.line(
                (x, y, *(rng.uniform(0, TILE, 2))), fill=fill, width=1 + int(size / 15)
            )
        else:
            draw.rectangle(box, fill=fill)
    return np.asarray(image)


@dataclass(slots=True)
class Pictures:
    """Where the pictures of a world's surfaces, and its light, come from."""

    photographs: Photographs | None = None
    still: np.ndarray | None = field(default=None)  # (h, w, 3) uint8, the last scene

    def of_scene(self, rng: Rng) -> np.ndarray:
        """(LAYERS, TILE, TILE, 3) uint8."""
        invented = dead_leaves(rng)
        made = [invented] * LAYERS
        if self.photographs is not None:
            for layer, use in enumerate(USE):
                if rng.random() >= INVENTED_P:
                    made[layer] = self.photographs.tile(use, rng)
        if self.still is not None and rng.random() < STILL_P:
            shown = Image.fromarray(self.still).resize((TILE, TILE))
            made[POSTER] = np.asarray(shown)
        return np.stack(made)

    def light(self, rng: Rng) -> Light | None:
        """A real place's light, or None where one is to be invented."""
        if self.photographs is None or rng.random() >= REAL_LIGHT_P:
            return None
        return self.photographs.light(rng)
