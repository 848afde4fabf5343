"""Train the attributes network on rendered people.

``python attributes.py --portraits FOLDER --out RUN --steps N [--start DETECTOR]``,
then ``--again RUN/best.weights.h5`` with mixed pictures against learning by heart;
``publish_attributes.py`` then calibrates, measures and writes the model. Goes on where
it was stopped; keeps the weights that did best on the calibrating half of the held-out
people (``best.weights.h5``).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import net
import numpy as np
import tensorflow as tf
from crops import Crops, as_seen, calibrating, one_each, varied
from keras import layers
from net import convolved, residual
from portraits import HEIGHT, READINGS, WIDTH

BATCH, SAVE_EVERY = 64, 500
FIRST = {"rate": 2e-3, "decay": 2e-3, "dropout": 0.2, "mix": 0.0}
AGAIN = {"rate": 1e-3, "decay": 2e-2, "dropout": 0.4, "mix": 0.3}  # a warm restart
SMOOTHING = 0.04
AGES, EXPRESSIONS = 4, 2


def build() -> keras.Model:
    """(n, 128, 64, 3) in -1..1 -> age logits (n, 4), expression logits (n, 2).

    The convolutions are the detector's down to stride 16, so that they can be taken
    over; the crop is aligned, so the place of a feature is kept to the end.
    """
    a, b, c, d = net.WIDTHS["s"][:4]
    image = keras.Input((HEIGHT, WIDTH, 3))
    x = convolved(convolved(convolved(image, a, 3, 2), b, 3, 2), c, 3, 2)
    x = convolved(residual(x, c), d, 3, 2)
    x = residual(residual(x, d), d)
    x = layers.Flatten()(convolved(x, 40, 1))
    x = layers.Dropout(0.2, name="left_out")(layers.Dense(64, activation="relu")(x))
    age = layers.Dense(AGES, name="age")(x)
    return keras.Model(image, [age, layers.Dense(EXPRESSIONS, name="expression")(x)])


def take_over(model: keras.Model, weights: Path) -> int:
    """Copy the detector's first layers, passing over those ours lacks; how many."""
    detector = net.build("s")
    detector.load_weights(weights)
    ours = [layer for layer in model.layers if layer.get_weights()]
    theirs = iter([layer for layer in detector.layers if layer.get_weights()])
    for number, mine in enumerate(ours):
        shapes = [v.shape for v in mine.get_weights()]
        for other in theirs:
            if [v.shape for v in other.get_weights()] == shapes:
                mine.set_weights(other.get_weights())
                break
        else:
            return number
    return len(ours)


def batches(crops: Crops, seed: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Endless (images uint8, ages, expressions), each person once in an epoch."""
    rng = np.random.default_rng(seed)
    while True:
        crops.look()
        age, expression = crops.age, crops.expression
        order = rng.permutation(len(crops))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[at : at + BATCH]
            images = [varied(image, rng) for image in crops.take(rows)]
            yield np.stack(images), age[rows], expression[rows]


def dataset(crops: Crops, seed: int) -> tf.data.Dataset:
    whole = tf.TensorSpec((BATCH,), tf.int32)
    kinds = (tf.TensorSpec((BATCH, HEIGHT, WIDTH, 3), tf.uint8), whole, whole)
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
            model.save_weights(self.path)
            self.note.write_text(str(loss))
        right = (age.argmax(1) == self.age).mean()
        also = (expression.argmax(1) == self.expression).mean()
        return f"held out: loss {loss:.3f}, age {right:.3f}, expression {also:.3f}"


def mixed(x: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Each with a share of another of the batch (Zhang et al., arXiv 1710.09412)."""
    share = tf.reshape(share, [-1] + [1] * (len(x.shape) - 1))
    return x * (1 - share) + x[::-1] * share


def train(
    model: keras.Model, recipe: dict, crops: Crops, watch: Watch, out: Path, steps: int
) -> None:
    model.get_layer("left_out").rate = recipe["dropout"]
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=recipe["decay"])
    optimizer.build(model.trainable_variables)
    step = tf.Variable(0, dtype=tf.int64)
    state = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step)
    files = tf.train.CheckpointManager(state, str(out), 1)
    if files.latest_checkpoint:
        state.restore(files.latest_checkpoint)
    entropy = keras.losses.CategoricalCrossentropy(True, label_smoothing=SMOOTHING)

    @tf.function
    def learn(image: tf.Tensor, age: tf.Tensor, expression: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            half = tf.cast(tf.random.uniform((BATCH,)) < 0.5, tf.float32)
            share = tf.random.uniform((BATCH,), 0, recipe["mix"]) * half
            ages, expressions = model(mixed(centred(image), share), training=True)
            loss = entropy(mixed(tf.one_hot(age, AGES), share), ages)
            truth = mixed(tf.one_hot(expression, EXPRESSIONS), share)
            loss += entropy(truth, expressions)
        slopes = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
        return loss

    begun, first, recent = time.monotonic(), int(step.numpy()), []
    for image, age, expression in dataset(crops, first):
        at = int(step.numpy())
        if at >= steps:
            break
        warm = min(1.0, (at + 1) / 200)
        rate = recipe["rate"] * warm * (0.5 + 0.5 * np.cos(np.pi * at / steps)) + 1e-5
        optimizer.learning_rate.assign(rate)
        recent = [*recent[-99:], float(learn(image, age, expression))]
        step.assign_add(1)
        if at % 100 == 0:
            pace = (at + 1 - first) / (time.monotonic() - begun)
            left = (steps - at) / pace / 60
            print(
                f"step {at} loss {np.mean(recent):.3f} {left:.1f} min left", flush=True
            )
        if (at + 1) % SAVE_EVERY == 0 or at + 1 == steps:
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
