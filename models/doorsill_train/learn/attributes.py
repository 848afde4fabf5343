"""Train the attributes network on rendered people.

``python -m doorsill_train.learn.attributes --portraits FOLDER --out RUN --steps N``

Begins with ``--start DETECTOR``, if given; then again with mixed pictures against
learning by heart, from ``--again RUN/best.weights.h5``. After that
``publish.publish_attributes`` calibrates, measures and writes the model. Goes on where
it was stopped; keeps the weights that did best on the calibrating half of the held-out
people (``best.weights.h5``). While it learns it is also asked for ``people.CUES``, such
as a beard or a cane, so that it looks for what can be seen; that output is never saved.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from doorsill.vision.attributes.tracks import READINGS
from doorsill_train.learn import net
from doorsill_train.learn.crops import (
    HEIGHT,
    WIDTH,
    Crops,
    as_seen,
    calibrating,
    one_each,
    varied,
)
from doorsill_train.learn.net import convolved, residual
from doorsill_train.people.people import CUES

BATCH, SAVE_EVERY = 64, 500
FIRST = {"rate": 2e-3, "decay": 5e-3, "dropout": 0.3, "mix": 0.15}
AGAIN = {"rate": 1.2e-3, "decay": 2e-3, "dropout": 0.1, "mix": 0.0}  # a warm restart
SMOOTHING = 0.04
CUES_WEIGHT = 4.0  # of their mean cross-entropy
AGES, EXPRESSIONS = 4, 2


def build() -> keras.Model:
    """(n, 128, 64, 3) in -1..1 -> age logits (n, 4), expression logits (n, 2).

    The convolutions are the detector's down to stride 16, so that they can be taken
    over; the crop is aligned, so the place of a feature is kept to the end.
    """
    a, b, c, d = net.WIDTHS["s"][:4]
    image = keras.Input((HEIGHT, WIDTH, 3))
    x = residual(convolved(convolved(image, a, 3, 2), b, 3, 2), b)
    x = convolved(residual(convolved(x, c, 3, 2), c), d, 3, 2)
    x = residual(residual(x, d), d)
    x = layers.Flatten()(convolved(x, 40, 1))
    x = layers.Dropout(0.2, name="left_out")(layers.Dense(64, activation="relu")(x))
    age = layers.Dense(AGES, name="age")(x)
    return keras.Model(image, [age, layers.Dense(EXPRESSIONS, name="expression")(x)])


def asked(model: keras.Model) -> keras.Model:
    """The same network with one more output, logits (n, CUES), for training alone."""
    features = model.get_layer("left_out").output
    more = layers.Dense(len(CUES), name="cues")(features)
    return keras.Model(model.input, [*model.outputs, more])


def first_of(
    values: list[np.ndarray], shapes: list[tuple[int, ...]]
) -> list[np.ndarray]:
    """The first channels of each, or nothing where a layer is of another kind.

    A kernel keeps its height and width.
    """
    if [v.ndim for v in values] != [len(shape) for shape in shapes]:
        return []
    for value, shape in zip(values, shapes, strict=True):
        few = any(have < want for have, want in zip(value.shape, shape, strict=True))
        if few or (value.ndim == 4 and value.shape[:2] != shape[:2]):
            return []
    rows = zip(values, shapes, strict=True)
    return [value[tuple(slice(n) for n in shape)] for value, shape in rows]


def take_over(model: keras.Model, weights: Path) -> int:
    """Copy the detector's first layers, passing over those ours lacks; how many."""
    detector = net.build()
    detector.load_weights(weights)
    ours = [layer for layer in model.layers if layer.get_weights()]
    theirs = iter([layer for layer in detector.layers if layer.get_weights()])
    for number, mine in enumerate(ours):
        shapes = [v.shape for v in mine.get_weights()]
        for other in theirs:
            if part := first_of(other.get_weights(), shapes):
                mine.set_weights(part)
                break
        else:
            return number
    return len(ours)


def batches(crops: Crops, seed: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Endless (images uint8, ages, expressions, cues), each once in an epoch."""
    rng = np.random.default_rng(seed)
    while True:
        crops.look()
        age, expression, cues = crops.age, crops.expression, crops.cues
        order = rng.permutation(len(crops))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[at : at + BATCH]
            images = [varied(image, rng) for image in crops.take(rows)]
            yield np.stack(images), age[rows], expression[rows], cues[rows]


def dataset(crops: Crops, seed: int) -> tf.data.Dataset:
    whole = tf.TensorSpec((BATCH,), tf.int32)
    image = tf.TensorSpec((BATCH, HEIGHT, WIDTH, 3), tf.uint8)
    kinds = (image, whole, whole, tf.TensorSpec((BATCH, len(CUES)), tf.float32))
    made = tf.data.Dataset.from_generator(
        lambda: batches(crops, seed), output_signature=kinds
    )
    return made.prefetch(3)


def centred(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """uint8 -> -1..1, as the network reads it."""
    return tf.cast(images, tf.float32) / 128 - 1


def surprise(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean cross-entropy."""
    logits = logits - logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(truth)), truth].mean())


class Watch:
    """Measures on the calibrating half and keeps the best weights."""

    def __init__(self, crops: Crops, out: Path):
        people = len(crops) // READINGS
        half = one_each(people)[calibrating(people)]
        self.images = as_seen(crops.take(half), 3)
        self.age, self.expression = crops.age[half], crops.expression[half]
        self.path, self.note = out / "best.weights.h5", out / "best.txt"
        self.best = float(self.note.read_text()) if self.note.exists() else np.inf

    def look(self, model: keras.Model) -> str:
        parts = [
            model(centred(self.images[at : at + 250]), training=False)
            for at in range(0, len(self.images), 250)
        ]
        age, expression = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
        loss = surprise(age, self.age) + surprise(expression, self.expression)
        if loss < self.best:
            self.best = loss
            partial = self.path.with_name("part.weights.h5")
            model.save_weights(partial)
            partial.replace(self.path)
            self.note.write_text(str(loss))
        right = (age.argmax(1) == self.age).mean()
        also = (expression.argmax(1) == self.expression).mean()
        return f"held out: loss {loss:.3f}, age {right:.3f}, expression {also:.3f}"


def mixed(x: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Each with a share of another of the batch (Zhang et al., arXiv 1710.09412)."""
    share = tf.reshape(share, [-1] + [1] * (len(x.shape) - 1))
    return x * (1 - share) + x[::-1] * share


Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]  # as ``batches`` yields


class Learner:
    """A network that is asked for cues as well, and how far it has come."""

    def __init__(self, model: keras.Model, recipe: dict[str, float]):
        model.get_layer("left_out").rate = recipe["dropout"]
        self.model, self.mix = asked(model), recipe["mix"]
        self.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=recipe["decay"])
        self.optimizer.build(self.model.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.entropy = keras.losses.CategoricalCrossentropy(
            True, label_smoothing=SMOOTHING
        )

    def files(self, out: Path) -> tf.train.CheckpointManager:
        """Goes on from the last checkpoint there, if there is one."""
        state = tf.train.Checkpoint(
            model=self.model, optimizer=self.optimizer, step=self.step
        )
        files = tf.train.CheckpointManager(state, str(out), 1)
        if files.latest_checkpoint:
            state.restore(files.latest_checkpoint)
        return files

    @tf.function  # type: ignore[untyped-decorator]
    def learn(self, batch: Batch) -> tf.Tensor:
        image, age, expression, cues = batch
        half = tf.cast(tf.random.uniform((BATCH,)) < 0.5, tf.float32)
        share = tf.random.uniform((BATCH,), 0, self.mix) * half
        truth = tf.one_hot(age, AGES), tf.one_hot(expression, EXPRESSIONS), cues
        wanted = [mixed(one, share) for one in truth]
        with tf.GradientTape() as tape:
            found = self.model(mixed(centred(image), share), training=True)
            loss = sum(map(self.entropy, wanted[:2], found[:2]))
            apart = tf.nn.sigmoid_cross_entropy_with_logits(wanted[2], found[2])
            whole = loss + CUES_WEIGHT * tf.reduce_mean(apart)
        weights = self.model.trainable_variables
        slopes = tape.gradient(whole, weights)
        self.optimizer.apply_gradients(zip(slopes, weights, strict=True))
        self.step.assign_add(1)
        return loss


def train(
    model: keras.Model,
    recipe: dict[str, Any],
    crops: Crops,
    watch: Watch,
    out: Path,
    steps: int,
) -> None:
    learner = Learner(model, recipe)
    files = learner.files(out)
    begun, first = time.monotonic(), int(learner.step.numpy())
    recent: list[tf.Tensor] = []
    for batch in dataset(crops, first):
        at = int(learner.step.numpy())
        if at >= steps:
            break
        warm = min(1.0, (at + 1) / 200)
        rate = recipe["rate"] * warm * (0.5 + 0.5 * np.cos(np.pi * at / steps)) + 1e-5
        learner.optimizer.learning_rate.assign(rate)
        recent = [*recent[-99:], float(learner.learn(batch))]
        if at % 100 == 0:
            pace = (at + 1 - first) / (time.monotonic() - begun)
            left = (steps - at) / pace / 60
            print(
                f"step {at} loss {np.mean(recent):.3f} {left:.1f} min left", flush=True
            )
        if (at + 1) % min(SAVE_EVERY, max(1, steps // 4)) == 0 or at + 1 == steps:
            files.save()
            print(watch.look(model), flush=True)
    model.save_weights(out / "last.weights.h5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="weights of a detector")
    parser.add_argument("--again", type=Path, help="weights of an earlier run")
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    crops = Crops(args.portraits, held_out=False)
    watch = Watch(Crops(args.portraits, held_out=True), args.out)
    print(f"{len(crops)} people to learn from", flush=True)
    model = build()
    if args.start:
        print(f"{take_over(model, args.start)} layers from the detector", flush=True)
    if args.again:
        model.load_weights(args.again)
    recipe = AGAIN if args.again else FIRST
    train(model, recipe, crops, watch, args.out, args.steps)


if __name__ == "__main__":
    main()
