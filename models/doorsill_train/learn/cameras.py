"""What real cameras do to a picture, in the order in which they do it.

    light ─► lens ─► sensor ─► processing ─► screen or recorder

Each maker takes and gives (h, w, 3) uint8, draws everything from the generator, and
moves no head: labels stay as they are. Bars move heads; they are in ``samples``.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from doorsill_train.shards import LUMA

Rng = np.random.Generator
Maker = Callable[[np.ndarray, Rng], np.ndarray]

GAMMA = 2.2
LEVELS = np.arange(256, dtype=np.float32) / 255
MOST_STOPS = 1.5  # of exposure, either way
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
ORDERS = ((2, 1, 0), (2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1))
SHOT, READ = (0.02, 0.7), (1.0, 7.0)  # of weak light's noise, in levels
COUNT_P = (0.3, 0.35, 0.25, 0.1)  # none, one, two or three effects on a picture


def stored(image: np.ndarray) -> np.ndarray:
    """As eight bits hold it."""
    kept: np.ndarray = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return kept


def grey_of(image: np.ndarray) -> np.ndarray:
    """(h, w, 1) float32."""
    grey: np.ndarray = (image.astype(np.float32) @ LUMA)[..., None]
    return grey


def through(image: np.ndarray, kernel: ImageFilter.Filter) -> np.ndarray:
    """A filter of Pillow's."""
    return np.asarray(Image.fromarray(image).filter(kernel))


def exposed(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Up to ``MOST_STOPS`` more or less light, which is linear."""
    gain = 2.0 ** rng.uniform(-MOST_STOPS, MOST_STOPS)
    curve = stored(255 * np.minimum(LEVELS**GAMMA * gain, 1) ** (1 / GAMMA))
    return curve.take(image)


def lifted(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Brightness added to what is stored, as a recorder's menu does."""
    return stored(image.astype(np.float32) + rng.uniform(-45, 60))


def balanced(image: np.ndarray, rng: Rng) -> np.ndarray:
    """A white balance for other light: warm, cold or green."""
    gains = np.exp(rng.normal(0, 0.12, 3)).clip(0.65, 1.5)
    return stored(image * gains)


def swapped(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Channels in another order, or the colours' opposites."""
    if rng.random() < 0.7:
        return np.ascontiguousarray(image[..., ORDERS[rng.integers(len(ORDERS))]])
    grey = grey_of(image)
    return stored(grey - rng.uniform(0.6, 1.2) * (image - grey))


def toned(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Grey as at night, sepia, or with less or more colour."""
    kind, grey = rng.integers(3), grey_of(image)
    if kind == 0:
        return stored(np.repeat(grey, 3, axis=2))
    if kind == 1:
        share = rng.uniform(0.5, 1)
        return stored(image * (1 - share) + share * (image @ SEPIA.T))
    return stored(grey + rng.uniform(0.1, 2.0) * (image - grey))


def flattened(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Low contrast: haze, or a dirty pane before the camera."""
    keep = rng.uniform(0.35, 0.8)
    return stored(rng.uniform(0, 1) * (255 - 255 * keep) + keep * image)


def soiled(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Drops and dust on the lens: soft spots that take light, or give some."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    out = image.astype(np.float32)
    for _ in range(rng.integers(1, 7)):
        at, radius = rng.uniform((0, 0), (width, height)), rng.uniform(4, 38)
        away = np.hypot(x - at[0], y - at[1]) / radius
        spot = np.clip(1.4 - away, 0, 1)[..., None] * rng.uniform(0.15, 0.75)
        out = out * (1 - spot) + spot * rng.uniform(0, 230)
    return stored(out)


def defocused(image: np.ndarray, rng: Rng) -> np.ndarray:
    """A lens that nobody has turned to where it is sharp."""
    return through(image, ImageFilter.GaussianBlur(rng.uniform(0.6, 2.0)))


def smeared(image: np.ndarray, rng: Rng) -> np.ndarray:
    """The camera shook or the shutter was slow: a line of 3 to 9 pixels."""
    length, angle = int(rng.integers(1, 5)), rng.uniform(0, np.pi)
    if rng.random() < 0.6:
        angle = 0.0  # people and pans go along the rows
    out = np.zeros(image.shape, np.float32)
    for step in range(-length, length + 1):
        by = round(step * np.sin(angle)), round(step * np.cos(angle))
        out += shifted(image, *by)
    return stored(out / (2 * length + 1))


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moved by whole pixels; the edge's own pixels fill what is left."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return image[rows][:, columns]


def weakly_lit(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Little light: noise of photons and of reading, in each channel or in all alike.

    A camera that smooths it leaves blotches of two to four pixels.
    """
    signal = image.astype(np.float32)
    spread = np.sqrt(rng.uniform(*SHOT) * signal + rng.uniform(*READ) ** 2)
    grain = rng.normal(0, 1, image.shape[:2] + ((1,) if rng.random() < 0.4 else (3,)))
    grain = grain.astype(np.float32)
    if rng.random() < 0.4:
        size = int(rng.integers(2, 4))
        parts = [shifted(grain, a, b) for a in range(size) for b in range(size)]
        grain = np.sum(parts, axis=0) / size
    return stored(signal + spread * grain)


def interlaced(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Every second row is of another moment; a recorder may have mixed the two."""
    by = int(rng.integers(1, 7)) * int(rng.choice([-1, 1]))
    out, other = image.copy(), shifted(image, 0, by)
    if rng.random() < 0.5:
        out[1::2] = other[1::2]
        return out
    return stored((out.astype(np.float32) + other) / 2)


def sharpened(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Halos along every edge."""
    radius, percent = rng.uniform(0.7, 2.2), int(rng.integers(60, 260))
    return through(image, ImageFilter.UnsharpMask(radius, percent, 0))


def shrunk(image: np.ndarray, rng: Rng) -> np.ndarray:
    """A smaller stream that was made larger again."""
    shown, share = Image.fromarray(image), rng.uniform(0.4, 0.85)
    width, height = shown.size
    small = shown.resize((round(width * share), round(height * share)))
    kinds = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
    return np.asarray(small.resize((width, height), kinds[rng.random() < 0.3]))


def squeezed(image: np.ndarray, rng: Rng) -> np.ndarray:
    """A codec at some rate; below some row at another, as a stream refreshes itself."""
    out = coded(image, rng)
    if rng.random() < 0.3:
        row = int(rng.integers(image.shape[0]))
        out = np.concatenate([out[:row], coded(image, rng)[row:]])
    return out


def coded(image: np.ndarray, rng: Rng) -> np.ndarray:
    """JPEG's blocks, or WebP's, which are smoothed as a film's are."""
    held = io.BytesIO()
    if rng.random() < 0.5:
        quality = int(np.exp(rng.uniform(np.log(7), np.log(85))))
        Image.fromarray(image).save(held, "JPEG", quality=quality)
    else:
        quality = int(rng.integers(0, 70))
        Image.fromarray(image).save(held, "WEBP", quality=quality, method=0)
    return np.asarray(Image.open(held).convert("RGB"))


# What is done, and how often in relation to the others; from the light to the recorder.
MAKERS: tuple[tuple[Maker, float], ...] = (
    (exposed, 2.0), (balanced, 1.5), (soiled, 0.7), (defocused, 0.8), (smeared, 0.9),
    (weakly_lit, 1.6), (flattened, 1.0), (lifted, 1.0), (toned, 1.6), (swapped, 0.8),
    (sharpened, 1.0), (interlaced, 0.7), (shrunk, 0.8), (squeezed, 1.8),
)  # fmt: skip
OFTEN = np.array([often for _, often in MAKERS]) / sum(often for _, often in MAKERS)


def through_a_camera(image: np.ndarray, rng: Rng) -> np.ndarray:
    """None to three of the effects, each once, in their order."""
    count = int(rng.choice(len(COUNT_P), p=COUNT_P))
    chosen = rng.choice(len(MAKERS), count, replace=False, p=OFTEN)
    for number in sorted(chosen.tolist()):
        image = MAKERS[number][0](image, rng)
    return image
