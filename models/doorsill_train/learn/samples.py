"""Rendered scenes to training samples: sensor effects, the two encodings, targets.

A sample is 8-bit like the camera's, so that training sees what the device sees.
Colour: red, green, blue. Change: luma, difference to the previous step, difference to
the slowly adapting background, both around 128.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from doorsill.vision.detect.heads import FOOT_OFFSET, PERSON_OFFSET, PERSON_SIZE
from doorsill_train import labels
from doorsill_train.learn import cameras
from doorsill_train.shards import (
    COLUMNS,
    HEIGHT,
    LUMA,
    ROWS,
    STRIDE,
    WIDTH,
    Shards,
    between_bars,
)

# heat 1, reg 10, mask of reg 1, weight of heat 1
TARGET_CHANNELS = 13
MASK, WEIGHT = 11, 12
ENCODINGS = ("rgb", "change")
LOOK_EVERY = 256  # scenes drawn, for worlds that have been finished meanwhile
RAMP = np.arange(256, dtype=np.float32) / 255

Rng = np.random.Generator


def encode(planes: np.ndarray, encoding: str) -> np.ndarray:
    """(5, h, w) uint8 -> (h, w, 3) uint8 as the network gets it."""
    if encoding == "rgb":
        return np.moveaxis(planes[:3], 0, 2)
    luma = np.rint(np.tensordot(LUMA, planes[:3].astype(np.float32), 1))
    differ = [np.clip(128 + luma - planes[k], 0, 255) for k in (3, 4)]
    return np.stack([luma, *differ], axis=2).astype(np.uint8)


def zoomed(planes: np.ndarray, rows: np.ndarray, rng: Rng) -> tuple[np.ndarray, ...]:
    """Random zoom, shift and letterbox; labels follow."""
    spans = ((1.7, 2.6), (1, 1.7), (0.6, 1.0), (0.38, 0.6))
    scale = rng.uniform(*spans[rng.choice(4, p=(0.1, 0.48, 0.28, 0.14))])
    aspect = np.exp(rng.normal(0, 0.06))
    sx, sy = scale * aspect, scale / aspect
    x = rng.uniform(min(0, WIDTH * (1 - sx)), max(0, WIDTH * (1 - sx)))
    y = rng.uniform(min(0, HEIGHT * (1 - sy)), max(0, HEIGHT * (1 - sy)))
    inverse = (1 / sx, 0, -x / sx, 0, 1 / sy, -y / sy)
    fill = int(rng.choice([0, 114, 128, int(rng.integers(256))]))

    def warp(plane: np.ndarray) -> np.ndarray:
        image = Image.fromarray(plane)
        mode = Image.Resampling.BILINEAR
        return np.asarray(
            image.transform(
                (WIDTH, HEIGHT), Image.Transform.AFFINE, inverse, mode, fillcolor=fill
            )
        )

    out = np.stack([warp(p) for p in planes])
    rows = rows.copy()
    heads = rows[:, labels.HEAD] * [sx, sy, sx, sy] + [x, y, x, y]
    area = (heads[:, 2] - heads[:, 0]) * (heads[:, 3] - heads[:, 1])
    cut = np.clip(heads, 0, [WIDTH, HEIGHT] * 2)
    inside = (cut[:, 2] - cut[:, 0]) * (cut[:, 3] - cut[:, 1]) / np.maximum(area, 1)
    column = labels.COLUMN["head_inside"]
    rows[:, column] = np.where(
        inside < 0.95, np.minimum(rows[:, column], inside), rows[:, column]
    )
    rows[:, labels.HEAD] = heads
    bodies = rows[:, labels.BODY] * [sx, sy, sx, sy] + [x, y, x, y]
    rows[:, labels.BODY] = np.clip(bodies, 0, [WIDTH, HEIGHT] * 2)
    rows[:, labels.FOOT] = rows[:, labels.FOOT] * [sx, sy] + [x, y]
    wide = rows[:, 6] - rows[:, 4] > 3
    return out, rows[wide & (rows[:, 7] - rows[:, 5] > 3)]


def barred(planes: np.ndarray, rows: np.ndarray, rng: Rng) -> tuple[np.ndarray, ...]:
    """Bars above and below (a 16:9 camera), at the sides (a phone's), or all around.

    What lay there cannot be seen.
    """
    kind, grey = rng.random(), int(rng.choice([0, 0, 114, 128, 255]))
    top = int(rng.integers(8, 64)) if kind < 0.75 else 0
    side = int(rng.integers(8, 84)) if kind > 0.5 else 0
    return between_bars(planes, rows, top, grey, side)


def mirrored(planes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = rows.copy()
    rows[:, [0, 2, 4, 6]] = WIDTH - rows[:, [2, 0, 6, 4]]
    rows[:, 8] = WIDTH - rows[:, 8]
    return planes[:, :, ::-1], rows


def flipped(planes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upside down: seen from straight above there is no up."""
    rows = rows.copy()
    rows[:, [1, 3, 5, 7]] = HEIGHT - rows[:, [3, 1, 7, 5]]
    rows[:, 9] = HEIGHT - rows[:, 9]
    return planes[:, ::-1], rows


def tones(planes: np.ndarray, rng: Rng) -> np.ndarray:
    """Gamma, contrast, brightness and colour cast; the old lumas drift a little."""
    gamma, contrast = np.exp(rng.normal(0, 0.25)), rng.uniform(0.7, 1.4)
    lift, cast = rng.normal(0.47, 0.07), np.exp(rng.normal(0, 0.08, 3))
    drift = [1 + rng.normal(0, 0.015), np.exp(rng.normal(0, 0.05))]
    out = np.empty_like(planes)
    gains = [*cast, *drift]
    for k, plane in enumerate(planes):
        curve = (RAMP**gamma * gains[k] - 0.45) * contrast + lift
        out[k] = (np.clip(curve, 0, 1) * 255).astype(np.uint8)[plane]
    if rng.random() < 0.15:
        grey = np.tensordot(LUMA, out[:3].astype(np.float32), 1)
        mix = rng.uniform(0.3, 1)
        out[:3] = (out[:3] * (1 - mix) + grey * mix).astype(np.uint8)
    return out


def filtered(planes: np.ndarray, rng: Rng) -> np.ndarray:
    """Lens and motion blur, compression; the old lumas share the lens."""
    images = [Image.fromarray(np.ascontiguousarray(np.moveaxis(planes[:3], 0, 2)))]
    images += [Image.fromarray(np.ascontiguousarray(p)) for p in planes[3:]]
    if rng.random() < 0.45:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.3, 1.4))
        images = [image.filter(blur) for image in images]
    now = np.asarray(images[0])
    if rng.random() < 0.1:
        shift = rng.integers(1, 5), int(rng.integers(2))
        now = (now.astype(np.uint16) + np.roll(now, *shift)) // 2
    if rng.random() < 0.3:
        buffer = io.BytesIO()
        quality = int(rng.integers(35, 92))
        Image.fromarray(now.astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        now = np.asarray(Image.open(buffer))
    rest = [np.asarray(image)[None] for image in images[1:]]
    return np.concatenate([np.moveaxis(now, 2, 0), *rest]).astype(np.uint8)


NOISE = np.random.default_rng(7).normal(0, 32, (5, 3 * HEIGHT, WIDTH)).astype(np.int16)


def noisy(planes: np.ndarray, rng: Rng) -> np.ndarray:
    strength = abs(rng.normal(0, 5)) + 0.5
    top, left = rng.integers(2 * HEIGHT), rng.integers(WIDTH)
    bank = np.roll(NOISE[: len(planes), top : top + HEIGHT], left, axis=2)
    noise = bank * np.int16(strength * 8) >> 8
    noise[4:] //= 3  # the background is an average
    stored: np.ndarray = np.clip(planes + noise, 0, 255).astype(np.uint8)
    return stored


def blotted(planes: np.ndarray, rng: Rng) -> np.ndarray:
    """Patches of one colour, small against a head."""
    out = planes.copy()
    for _ in range(rng.integers(1, 5)):
        w, h = rng.integers(5, 50, 2)
        x, y = rng.integers(WIDTH), rng.integers(HEIGHT)
        out[:3, y : y + h, x : x + w] = rng.integers(0, 256, (3, 1, 1))
    return out


def aged(planes: np.ndarray, rng: Rng) -> np.ndarray:
    """Who stands still sinks into the background; a dropped frame shows no motion."""
    out = planes.copy()
    now = np.tensordot(LUMA, planes[:3].astype(np.float32), 1)
    if rng.random() < 0.2:
        share = rng.uniform(0.2, 1)
        out[4] = out[4] * (1 - share) + now * share
    if rng.random() < 0.08:
        out[3] = now
    return out


def augment(planes: np.ndarray, rows: np.ndarray, rng: Rng) -> tuple[np.ndarray, ...]:
    """One training view of a scene: planes (3 or 5, h, w) uint8 and its rows."""
    if rng.random() < 0.6:
        planes, rows = zoomed(planes, rows, rng)
    if rng.random() < 0.25:
        planes, rows = barred(planes, rows, rng)
    if rng.random() < 0.5:
        planes, rows = mirrored(planes, rows)
    if len(planes) == 5:
        planes = aged(planes, rng)
    planes = tones(planes, rng)
    if rng.random() < 0.25:
        planes = blotted(planes, rng)
    if rng.random() < 0.4:
        planes = filtered(planes, rng)
    if rng.random() < 0.5:
        planes = noisy(planes, rng)
    return filmed(planes, rng), rows


def filmed(planes: np.ndarray, rng: Rng) -> np.ndarray:
    """What a camera makes of the picture now; the old lumas stay as they are."""
    shown = np.ascontiguousarray(np.moveaxis(planes[:3], 0, 2))
    changed = np.moveaxis(cameras.through_a_camera(shown, rng), 2, 0)
    return np.concatenate([changed, planes[3:]])


CELL_Y, CELL_X = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)


def target(rows: np.ndarray) -> np.ndarray:
    """(32, 40, 13): what the network should say; unseen heads weigh nothing."""
    out = np.zeros((ROWS, COLUMNS, TARGET_CHANNELS), np.float32)
    out[..., WEIGHT] = 1
    good = labels.usable(rows) | labels.headless(rows)
    cut = rows[:, labels.COLUMN["head_inside"]] < labels.LEAST_INSIDE
    unsure = [rows[~good][:, labels.HEAD], rows[~good & cut][:, labels.BODY]]
    for x0, y0, x1, y1 in np.concatenate(unsure) / STRIDE:
        near = (y0 - 0.6 < CELL_Y + 0.5) & (y1 + 0.6 > CELL_Y + 0.5)
        near &= (x0 - 0.6 < CELL_X + 0.5) & (x1 + 0.6 > CELL_X + 0.5)
        out[near, WEIGHT] = 0
    size = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
    for row in rows[np.argsort(size)][good[np.argsort(size)]]:
        mark(out, row)
    return out


def mark(out: np.ndarray, row: np.ndarray) -> None:
    """Add one head: a bump of heat, and its regression around the peak.

    A head beyond the picture's edge is marked where the body meets that edge.
    """
    x0, y0, x1, y1 = row[labels.HEAD] / STRIDE
    bx0, by0, bx1, by1 = row[labels.BODY] / STRIDE
    cx, cy, wide, tall = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
    px, py = cx, cy
    if row[labels.COLUMN["head_inside"]] < labels.LEAST_INSIDE:
        px = np.clip(cx, min(bx0 + 0.5, bx1), max(bx1 - 0.5, bx0))
        py = np.clip(cy, min(by0 + 0.5, by1), max(by1 - 0.5, by0))
    ix, iy = int(px), int(py)
    if not (0 <= px < COLUMNS and 0 <= py < ROWS):
        return
    sx, sy = max(0.6, wide * 0.2), max(0.6, tall * 0.2)
    bump = np.exp(
        -((CELL_X - ix) ** 2 / (2 * sx * sx) + (CELL_Y - iy) ** 2 / (2 * sy * sy))
    )
    mine = (bump > 0.35) & (bump >= out[..., MASK] - 1e-6)
    out[..., 0] = np.maximum(out[..., 0], bump)
    out[iy, ix, 0] = out[iy, ix, WEIGHT] = 1
    fx, fy = row[labels.FOOT] / STRIDE
    at_x, at_y = CELL_X[mine] + 0.5, CELL_Y[mine] + 0.5
    values = [
        cx - at_x,
        cy - at_y,
        np.log(wide),
        np.log(tall),
        ((bx0 + bx1) / 2 - at_x) / PERSON_OFFSET,
        ((by0 + by1) / 2 - at_y) / PERSON_OFFSET,
        np.log(max(bx1 - bx0, 0.5) / PERSON_SIZE),
        np.log(max(by1 - by0, 0.5) / PERSON_SIZE),
        (fx - at_x) / FOOT_OFFSET,
        (fy - at_y) / FOOT_OFFSET,
    ]
    for k, value in enumerate(values):
        out[mine, 1 + k] = np.clip(value, -4, 4)
    out[mine, MASK] = bump[mine]


def stream(
    shards: Shards, encoding: str, seed: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Endless samples: image (256, 320, 3) int8, target (32, 40, 13) float32."""
    rng = np.random.default_rng(seed)
    while True:
        shards.look()
        share = np.array(shards.often) / np.sum(shards.often)
        for at in rng.choice(len(share), LOOK_EVERY, p=share):
            planes, rows, view = shards.get(int(at))
            if encoding == "rgb":
                planes = planes[:3]
            if view == "overhead" and rng.random() < 0.5:
                planes, rows = flipped(planes, rows)
            planes, rows = augment(planes, rows, rng)
            image = encode(planes, encoding)
            yield (image.astype(np.int16) - 128).astype(np.int8), target(rows)


def calibration(worlds: Path, encoding: str, count: int = 150) -> list[np.ndarray]:
    """Augmented samples, (256, 320, 3) int8, of worlds for training alone."""
    samples = stream(Shards(worlds, held_out=False), encoding, seed=99)
    return [next(samples)[0] for _ in range(count)]
