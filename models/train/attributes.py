"""Train the attributes network on rendered heads and shoulders.

``python attributes.py --portraits FOLDER --out RUN --steps N [--start DETECTOR]``;
``publish_attributes.py`` then calibrates, measures and writes the model.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import labels
import net
import numpy as np
import samples
import tensorflow as tf
from keras import layers
from net import convolved, residual
from PIL import Image, ImageFilter

from doorsill.vision.appearance import portrait

SIDE = 64
BATCH, SAVE_EVERY, PEAK_RATE = 64, 500, 1.5e-3
LEAST_HEAD_PX, LEAST_SEEN, LEAST_CONTRAST = 13, 0.6, 15
AGES, EXPRESSIONS = 4, 2
BYSTANDER_SHARE = 0.15
HELD_OUT = 900_000

Crop = tuple[np.ndarray, int, int]  # image (64, 64, 3) uint8, age, expression


def build() -> keras.Model:
    """(n, 64, 64, 3) in -1..1 -> age logits (n, 4), expression logits (n, 2).

    The first five convolutions are those of the detector, so that they can be taken
    over; the crop is aligned, so the place of a feature is kept to the end.
    """
    a, b, c = net.WIDTHS["s"][:3]
    image = keras.Input((SIDE, SIDE, 3))
    x = convolved(convolved(convolved(image, a, 3, 2), b, 3, 2), c, 3, 2)
    x = convolved(residual(x, c), 48)
    x = residual(convolved(x, 64, 3, 2), 64)
    x = layers.Flatten()(convolved(x, 32, 1))
    x = layers.Dropout(0.3)(layers.Dense(64, activation="relu")(x))
    age = layers.Dense(AGES, name="age")(x)
    return keras.Model(image, [age, layers.Dense(EXPRESSIONS, name="expression")(x)])


def take_over(model: keras.Model, weights: Path) -> int:
    """Copy the detector's first layers; how many were alike."""
    detector = net.build("s")
    detector.load_weights(weights)
    ours = [layer for layer in model.layers if layer.get_weights()]
    theirs = [layer for layer in detector.layers if layer.get_weights()]
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        values = other.get_weights()
        if [v.shape for v in values] != [v.shape for v in mine.get_weights()]:
            return number
        mine.set_weights(values)
    return len(ours)


def suitable(rows: np.ndarray) -> np.ndarray:
    """People large and visible enough for a person to judge them at all."""
    size = rows[:, 3] - rows[:, 1]
    seen = rows[:, labels.COLUMN["body_seen"]] >= LEAST_SEEN
    clear = rows[:, labels.COLUMN["head_contrast"]] >= LEAST_CONTRAST
    return labels.usable(rows) & seen & clear & (size >= LEAST_HEAD_PX)


class Portraits:
    """Rendered heads and shoulders; ``rows``: band, masculinity, tone, weight."""

    def __init__(self, folder: Path, held_out: bool):
        paths = sorted(folder.glob("*.crops.npz"))
        chosen = [p for p in paths if (int(p.name[:6]) >= HELD_OUT) == held_out]
        shards = [np.load(path) for path in chosen]
        self.images = np.concatenate([shard["images"] for shard in shards])
        self.rows = np.concatenate([shard["rows"] for shard in shards])

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, number: int, rng: np.random.Generator) -> Crop:
        row = self.rows[number]
        return varied(self.images[number], rng), int(row[0]), int(row[1] > 0.5)


class Bystanders:
    """People of the detector's worlds, cut as a detector's boxes cut them."""

    def __init__(self, folder: Path, held_out: bool):
        self.shards = samples.Shards(folder, held_out)
        self.index: list[tuple[int, int]] = []
        for at in range(len(self.shards.index)):
            shard, i = self.shards.index[at]
            rows = self.shards.rows[shard][i]
            self.index += [(at, k) for k in np.flatnonzero(suitable(rows))]

    def __len__(self) -> int:
        return len(self.index)

    def cut(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """The crop and the label row."""
        at, k = self.index[number]
        planes, rows, _ = self.shards.get(at)
        row, whole = rows[k], np.array([samples.WIDTH, samples.HEIGHT] * 2)
        head, body = row[labels.HEAD] / whole, row[labels.BODY] / whole
        size = np.tile(head[2:] - head[:2], 2)
        head = head + rng.normal(0, 0.05, 4) * size
        body = body + rng.normal(0, 0.15, 4) * size
        out = np.empty((SIDE, SIDE, 3), np.uint8)
        portrait(np.moveaxis(planes[:3], 0, 2), head, body, out)
        return out, row

    def get(self, number: int, rng: np.random.Generator) -> Crop:
        image, row = self.cut(number, rng)
        age = int(row[labels.COLUMN["band"]])
        masculine = row[labels.COLUMN["masculinity"]] > 0.5
        return varied(image, rng), age, int(masculine)


def varied(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror, shift, scale, lower resolution, blur, tones and noise."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale, (x, y) = rng.uniform(0.88, 1.12), rng.normal(0, 2, 2)
    middle = SIDE / 2 * (1 - scale)
    matrix = (scale, 0, middle + x, 0, scale, middle + y)
    mode = Image.Resampling.BILINEAR
    picture = picture.transform((SIDE, SIDE), Image.Transform.AFFINE, matrix, mode,
                                fillcolor=(128, 128, 128))  # fmt: skip
    if rng.random() < 0.4:
        small = int(rng.integers(28, SIDE))
        picture = picture.resize((small, small), mode).resize((SIDE, SIDE), 0)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
    planes = samples.tones(np.moveaxis(np.asarray(picture), 2, 0), rng)
    noise = rng.normal(0, abs(rng.normal(0, 4)) + 0.3, planes.shape)
    return np.moveaxis(np.clip(planes + noise, 0, 255), 0, 2).astype(np.uint8)


def stream(portraits: Portraits, others: Bystanders | None, seed: int):
    """Endless (image int8, age, expression)."""
    rng = np.random.default_rng(seed)
    while True:
        source = portraits
        if others is not None and rng.random() < BYSTANDER_SHARE:
            source = others
        image, age, expression = source.get(int(rng.integers(len(source))), rng)
        yield (image.astype(np.int16) - 128).astype(np.int8), age, expression


def dataset(
    portraits: Portraits, others: Bystanders | None, seed: int
) -> tf.data.Dataset:
    whole = tf.TensorSpec((), tf.int32)
    kinds = (tf.TensorSpec((SIDE, SIDE, 3), tf.int8), whole, whole)
    made = tf.data.Dataset.from_generator(
        lambda: stream(portraits, others, seed), output_signature=kinds
    )
    return made.batch(BATCH).prefetch(3)


def train(
    portraits: Portraits,
    others: Bystanders | None,
    out: Path,
    steps: int,
    start: Path | None,
) -> keras.Model:
    model = build()
    if start:
        print(f"{take_over(model, start)} layers from the detector", flush=True)
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=5e-4)
    optimizer.build(model.trainable_variables)
    step = tf.Variable(0, dtype=tf.int64)
    state = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step)
    files = tf.train.CheckpointManager(state, str(out), 1)
    if files.latest_checkpoint:
        state.restore(files.latest_checkpoint)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def learn(image: tf.Tensor, age: tf.Tensor, expression: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            ages, expressions = model(tf.cast(image, tf.float32) / 128, training=True)
            loss = entropy(age, ages) + entropy(expression, expressions)
        slopes = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
        return loss

    begun, first, recent = time.monotonic(), int(step.numpy()), []
    for image, age, expression in dataset(portraits, others, first):
        at = int(step.numpy())
        if at >= steps:
            break
        warm = min(1.0, (at + 1) / 100)
        rate = PEAK_RATE * warm * (0.5 + 0.5 * np.cos(np.pi * at / steps)) + 1e-5
        optimizer.learning_rate.assign(rate)
        recent = [*recent[-99:], float(learn(image, age, expression))]
        step.assign_add(1)
        if at % 100 == 0:
            pace = (at + 1 - first) / (time.monotonic() - begun)
            left = (steps - at) / pace / 60
            print(
                f"step {at} loss {np.mean(recent):.3f} {left:.1f} min left", flush=True
            )
        if (at + 1) % SAVE_EVERY == 0:
            files.save()
    files.save()
    model.save_weights(out / "last.weights.h5")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--worlds", type=Path, help="adds people of these worlds")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="weights of a detector")
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    portraits = Portraits(args.portraits, held_out=False)
    others = Bystanders(args.worlds, held_out=False) if args.worlds else None
    print(f"{len(portraits)} portraits, {len(others or [])} bystanders", flush=True)
    train(portraits, others, args.out, args.steps, args.start)


if __name__ == "__main__":
    main()
