"""Rendered crops in memory, and what a cheap camera makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from doorsill.vision.attributes.appearance import copy_cut
from doorsill.vision.attributes.tracks import READINGS
from doorsill_train.people.people import CUES
from doorsill_train.shards import LUMA, is_held_out

WIDTH, HEIGHT = 64, 128  # of a crop
CONDITIONS = ("band", "masculinity", "tone", "weight", "view", "cut", "covered")
COLUMNS = (*CONDITIONS, *CUES)
COLUMN = {name: i for i, name in enumerate(COLUMNS)}
RAMP = np.linspace(0, 1, 256)
NOISE = np.random.default_rng(7).normal(0, 32, 1 << 20).astype(np.int16)


class Crops:
    """Shards of images (500, 128, 64, 3) uint8 and rows as ``COLUMNS``."""

    def __init__(self, folder: Path, held_out: bool):
        self.folder, self.held_out = folder, held_out
        self.paths: list[Path] = []
        self.images: list[np.ndarray] = []
        self.parts: list[np.ndarray] = []
        self.look()

    def look(self) -> None:
        """Take in what has been rendered meanwhile."""
        for path in sorted(self.folder.glob("*.crops.npz")):
            ours = is_held_out(int(path.name[:6])) == self.held_out
            if ours and path not in self.paths:
                shard = np.load(path)
                self.paths.append(path)
                self.images.append(shard["images"])
                self.parts.append(shard["rows"])

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def rows(self) -> np.ndarray:
        return np.concatenate(self.parts)

    @property
    def age(self) -> np.ndarray:
        return self.rows[:, COLUMN["band"]].astype(np.int32)

    @property
    def expression(self) -> np.ndarray:
        return (self.rows[:, COLUMN["masculinity"]] > 0.5).astype(np.int32)

    @property
    def cues(self) -> np.ndarray:
        return self.rows[:, len(CONDITIONS) :]

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """(n, 128, 64, 3) uint8 of these people."""
        ends = np.cumsum([len(part) for part in self.parts])
        shards = np.searchsorted(ends, numbers, side="right")
        starts = ends - [len(part) for part in self.parts]
        pairs = zip(shards, numbers - starts[shards], strict=True)
        return np.stack([self.images[shard][at] for shard, at in pairs])


def calibrating(people: int) -> np.ndarray:
    """(people,) True for the half of those held out that chooses and calibrates."""
    half: np.ndarray = np.arange(people) % 2 == 0
    return half


def one_each(people: int) -> np.ndarray:
    """The number of one crop of each held-out person, early or late in the walk."""
    person = np.arange(people)
    return person * READINGS + person // 2 % READINGS


def moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror, scale, shift and coarsen, as boxes and resolutions are never the same."""
    wide, tall = rng.uniform(0.9, 1.12) * rng.uniform(0.96, 1.04, 2)
    y = (np.arange(HEIGHT) - HEIGHT / 2) * tall + HEIGHT / 2 + rng.normal(0, 2.0)
    x = (np.arange(WIDTH) - WIDTH / 2) * wide + WIDTH / 2 + rng.normal(0, 1.5)
    if rng.random() < 0.5:
        x = x[::-1]
    if rng.random() < 0.35:
        block = rng.uniform(1.1, 2.2)  # pixels of the crop in one of the camera's
        x, y = np.floor(x / block) * block, np.floor(y / block) * block
    out = np.empty_like(image)
    copy_cut(image, y, x, out)
    return out


def hidden(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch of one colour over some, so that the network learns to be unsure."""
    if rng.random() < 0.15:
        y, x = int(rng.integers(HEIGHT)), int(rng.integers(WIDTH))
        tall, wide = rng.integers((8, 8), (56, 36))
        image[y : y + tall, x : x + wide] = rng.integers(0, 256, 3)
    return image


def softened(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lens blur: the mean of four neighbours, once or twice."""
    for _ in range(int(rng.choice(3, p=[0.6, 0.25, 0.15]))):
        sums = image.astype(np.uint16)
        sums[1:] += sums[:-1].copy()
        sums[:, 1:] += sums[:, :-1].copy()
        sums[0] *= 2
        sums[:, 0] *= 2
        image = (sums >> 2).astype(np.uint8)
    return image


def toned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma, contrast, brightness, colour cast, and less colour for some."""
    gamma, contrast = np.exp(rng.normal(0, 0.25)), rng.uniform(0.7, 1.4)
    lift, cast = rng.normal(0.47, 0.07), np.exp(rng.normal(0, 0.08, 3))
    curve = ((RAMP**gamma)[:, None] * cast - 0.45) * contrast + lift
    table = (np.clip(curve, 0, 1) * 255).astype(np.uint8)
    out = np.stack([table[:, c].take(image[..., c]) for c in range(3)], axis=2)
    if rng.random() < 0.12:
        grey = (out @ LUMA)[..., None]
        out = (out + (grey - out) * rng.uniform(0.3, 1)).astype(np.uint8)
    return out


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strength = int((abs(rng.normal(0, 4)) + 0.3) * 8)
    at = int(rng.integers(len(NOISE) - image.size))
    noise = (NOISE[at : at + image.size] * np.int16(strength)) >> 8
    noisy: np.ndarray = np.clip(image + noise.reshape(image.shape), 0, 255).astype(
        np.uint8
    )
    return noisy


def seen(
    image: np.ndarray, rng: np.random.Generator, tone: np.random.Generator
) -> np.ndarray:
    """What a cheap camera makes of a crop (128, 64, 3); ``tone`` is the camera's own"""
    return noisy(toned(softened(image, tone), tone), rng)


def varied(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One training view of a crop."""
    return seen(hidden(moved(image, rng), rng), rng, rng)


def as_seen(images: np.ndarray, seed: int, together: int = 1) -> np.ndarray:
    """(n, 128, 64, 3) through a camera, the same for each ``together`` that follow."""
    rng, out = np.random.default_rng(seed), []
    for number, image in enumerate(images):
        tone = np.random.default_rng([seed, number // together])
        out.append(seen(image, rng, tone))
    return np.stack(out)
