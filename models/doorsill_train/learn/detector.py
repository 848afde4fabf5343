"""Train the head detector.

``python -m doorsill_train.learn.detector --worlds FOLDER --out RUN --steps N``

Saves every 200 steps and goes on from there after a stop. The loader picks up worlds as
they are rendered. Every 1,000 steps the held-out worlds are measured, and the weights
with the best held-out score are kept beside the last ones. Needs no GPU; 25 to 60
images a second on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from doorsill_train.learn import net, samples
from doorsill_train.learn.evaluate import measure_model
from doorsill_train.shards import COLUMNS, HEIGHT, NEVER, ROWS, WIDTH, Shards

BATCH, SAVE_EVERY, MEASURE_EVERY = 32, 200, 1000
PEAK_RATE, WARM_UP = 3e-3, 60
# head box, person box, foot point: what is stored small has to weigh more
CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.5, 1.5, 1.0, 1.0, 3.0, 3.0)
GIVE_UP = 4  # measurements without a better one


def loss(
    heat: tf.Tensor, reg: tf.Tensor, want: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Focal loss on heat (CornerNet, arXiv 1808.01244), L1 on the regression."""
    goal, values = want[..., 0:1], want[..., 1:11]
    mask, weight = want[..., 11:12], want[..., 12:13]
    heat = tf.clip_by_value(heat, 1e-4, 1 - 1e-4)
    peak = goal > 0.999
    hit = (1 - heat) ** 2 * tf.math.log(heat)
    miss = weight * (1 - goal) ** 4 * heat**2 * tf.math.log(1 - heat)
    count = tf.maximum(tf.reduce_sum(tf.cast(peak, tf.float32)), 1.0)
    focal = -tf.reduce_sum(tf.where(peak, hit, miss)) / count
    apart = tf.reduce_sum(mask * tf.abs(reg - values) * tf.constant(CHANNEL_WEIGHTS))
    boxes = tf.reduce_sum(mask[..., 0] * disagreement(reg[..., :4], values[..., :4]))
    return focal, (apart / 10 + boxes) / tf.maximum(tf.reduce_sum(mask), 1.0)


def disagreement(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """1 - GIoU (arXiv 1902.09630) of boxes (..., 4) as dx, dy, log w, log h, 0..2."""
    a, b = (tf.exp(tf.clip_by_value(s[..., 2:], -4.0, 4.0)) for s in (one, other))
    low_a, high_a = one[..., :2] - a / 2, one[..., :2] + a / 2
    low_b, high_b = other[..., :2] - b / 2, other[..., :2] + b / 2
    sides = tf.maximum(tf.minimum(high_a, high_b) - tf.maximum(low_a, low_b), 0.0)
    hull = tf.maximum(high_a, high_b) - tf.minimum(low_a, low_b)
    both, all_of_it = tf.reduce_prod(sides, -1), tf.reduce_prod(hull, -1)
    union = tf.reduce_prod(a, -1) + tf.reduce_prod(b, -1) - both
    return 1 - both / union + (all_of_it - union) / all_of_it


def rate(step: int, steps: int, peak: float) -> float:
    """Warm-up, then a cosine to the end."""
    warm = min(1.0, (step + 1) / WARM_UP)
    cosine = float(np.cos(np.pi * min(1.0, step / steps)))
    return peak * warm * (0.5 + 0.5 * cosine) + 1e-5


def dataset(
    shards: Shards, encoding: str, seed: int, workers: int = 2
) -> tf.data.Dataset:
    """Batches from parallel generators."""
    image = tf.TensorSpec((HEIGHT, WIDTH, 3), tf.int8)
    want = tf.TensorSpec((ROWS, COLUMNS, samples.TARGET_CHANNELS), tf.float32)

    def one(number: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda n: samples.stream(shards, encoding, int(n) + seed),
            output_signature=(image, want),
            args=(number,),
        )

    numbers = tf.data.Dataset.range(workers)
    mixed = numbers.interleave(one, cycle_length=workers, num_parallel_calls=workers)
    return mixed.batch(BATCH).prefetch(3)


class Run:
    """One training run in a folder: weights, optimiser and log."""

    def __init__(self, folder: Path, encoding: str, variant: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.encoding = folder, encoding
        self.model = net.build(variant)
        self.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=1e-4)
        self.optimizer.build(self.model.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.checkpoint = tf.train.Checkpoint(
            model=self.model, optimizer=self.optimizer, step=self.step
        )
        self.files = tf.train.CheckpointManager(self.checkpoint, str(folder), 2)
        if self.files.latest_checkpoint:
            self.checkpoint.restore(self.files.latest_checkpoint)

    @tf.function  # type: ignore[untyped-decorator]
    def learn(self, image: tf.Tensor, want: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            heat, reg = self.model(tf.cast(image, tf.float32) / 128, training=True)
            focal, apart = loss(heat, reg, want)
            total = focal + apart
        slopes = tape.gradient(total, self.model.trainable_variables)
        slopes, _ = tf.clip_by_global_norm(slopes, 5.0)
        self.optimizer.apply_gradients(
            zip(slopes, self.model.trainable_variables, strict=True)
        )
        return focal, apart

    def note(self, **entry: object) -> None:
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")
        print(entry, flush=True)


def train(run: Run, shards: Shards, held: Shards, steps: int, peak: float) -> None:
    recent: list[list[float]] = []
    best, worse, start = -1.0, 0, time.monotonic()
    first = int(run.step.numpy())
    for image, want in dataset(shards, run.encoding, first):
        step = int(run.step.numpy())
        if step >= steps:
            break
        run.optimizer.learning_rate.assign(rate(step, steps, peak))
        recent = [*recent[-99:], [float(x) for x in run.learn(image, want)]]
        run.step.assign_add(1)
        if step % 50 == 0:
            pace = (step + 1 - first) * BATCH / (time.monotonic() - start)
            focal, apart = np.mean(recent, axis=0).round(3).tolist()
            left = round((steps - step) * BATCH / pace / 60, 1)
            entry = {"heat": focal, "reg": apart, "images_s": round(pace, 1)}
            run.note(step=step, **entry, worlds=len(shards.seen), left_min=left)
        if (step + 1) % min(SAVE_EVERY, max(1, steps // 4)) == 0:
            run.files.save()
        if (step + 1) % MEASURE_EVERY == 0 and len(held.index):
            found = measure_model(run.model, held, run.encoding, limit=200)
            run.note(step=step + 1, **found)
            worse = 0 if found["head_ap50"] > best else worse + 1
            if worse == 0:
                best = found["head_ap50"]
                run.model.save_weights(run.folder / "best.weights.h5")
            if worse >= GIVE_UP:
                break
    run.files.save()
    run.model.save_weights(run.folder / "last.weights.h5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--encoding", choices=samples.ENCODINGS, default="rgb")
    parser.add_argument("--variant", choices=sorted(net.WIDTHS), default=net.VARIANT)
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="highest")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="weights to start from")
    often = "how often scenes from above are drawn"
    parser.add_argument("--above", type=float, default=1.0, help=often)
    fresh = "worlds from this one on are drawn three times as often"
    parser.add_argument("--fresh", type=int, default=NEVER, help=fresh)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    run = Run(args.out, args.encoding, args.variant)
    if args.start and int(run.step.numpy()) == 0:
        run.model.load_weights(args.start)
    shards = Shards(args.worlds, False, args.fresh, args.above)
    train(run, shards, Shards(args.worlds, held_out=True), args.steps, args.rate)


if __name__ == "__main__":
    main()
