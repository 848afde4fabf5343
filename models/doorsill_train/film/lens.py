"""What a lens and an exposure make of linear light."""

from __future__ import annotations

import numpy as np

from doorsill_train.shards import HEIGHT, LUMA, WIDTH


class Lens:
    """Barrel distortion: where each pixel comes from, and where a point goes."""

    def __init__(self, strength: float):
        self.strength = strength
        v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
        at = np.stack([u.ravel(), v.ravel()], axis=1)
        source = np.rint(self.scaled(at, 1 + strength * (self.radius2(at) - 1)))
        self.index = (source[:, 1] * WIDTH + source[:, 0]).astype(int)

    def scaled(self, points: np.ndarray, factor: np.ndarray) -> np.ndarray:
        centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        moved: np.ndarray = (points - centre) * factor[:, None] + centre
        return moved

    def radius2(self, points: np.ndarray) -> np.ndarray:
        x = (points[:, 0] - (WIDTH - 1) / 2) * 2 / np.hypot(WIDTH, HEIGHT)
        y = (points[:, 1] - (HEIGHT - 1) / 2) * 2 / np.hypot(WIDTH, HEIGHT)
        squared: np.ndarray = x * x + y * y
        return squared

    def image(self, image: np.ndarray) -> np.ndarray:
        if not self.strength:
            return image
        bent: np.ndarray = image.reshape(HEIGHT * WIDTH, -1)[self.index].reshape(
            image.shape
        )
        return bent

    def points(self, points: np.ndarray) -> np.ndarray:
        """Undistorted -> distorted, by fixed-point iteration."""
        out = points
        for _ in range(6 if self.strength else 0):
            out = self.scaled(points, 1 / (1 + self.strength * (self.radius2(out) - 1)))
        return out


def exposed(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """One exposure for the triplet, set on a random percentile, then gamma 2.2."""
    level = np.percentile(images[0] @ LUMA, rng.uniform(35, 70))
    target = (rng.uniform(60, 170) / 255) ** 2.2
    bright = np.percentile(images[0] @ LUMA, 93)
    gain = np.clip(target / max(level, 1e-3), 0.2, 5.0)
    gain = min(gain, rng.choice([0.9, 1.2, 2.5]) / max(bright, 1e-3))
    curve = [np.clip(image * gain, 0, 1) ** (1 / 2.2) for image in images]
    return [np.rint(image * 255).astype(np.uint8) for image in curve]
