"""What could be known of people from what they wear and how they move.

``python -m doorsill_train.judge.worn``

Draws people as ``style`` dresses them, renders nobody, and fits a small network on the
style in words and colours: an upper bound for what a picture that shows all of it could
tell. Next to it, the same with the folds of the face.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from doorsill_train.film.portraits import KINDS
from doorsill_train.people.gaits import sample_gait
from doorsill_train.people.people import sample_figure, sample_palette
from doorsill_train.people.style import cloth_pattern, sample_style

UNKNOWN, TRAINED = 0.2, 0.8  # shares: of the answers; of the people to fit on
WORDS = ("suit", "hair", "scalp", "beard", "headwear", "thing")


def described(rng: np.random.Generator) -> tuple[list[str], list[float], list[float]]:
    """Somebody in words, in numbers, and (band, masculine, folds of the face)."""
    figure, band = sample_figure(rng)
    style = sample_style(rng, band, figure.masculinity, held_out=False)
    gait = sample_gait(rng, str(rng.choice(KINDS)), band)
    palette = sample_palette(rng, float(rng.uniform(0, 5)), style)
    words = [str(getattr(style, name)) for name in WORDS]
    words += [str(cloth_pattern(rng, style)[0]), gait.kind]
    puff, drop, tail = style.coat or (0, 0, 0)
    numbers = [
        style.loose, style.tips, style.coat is not None, puff, drop, tail or 0,
        style.skirt is not None, style.skirt or 0, style.trousers is not None,
        style.trousers or 0, style.hood_on_back, style.backpack, gait.swing,
        gait.stoop / 10, *palette[:14].ravel() ** (1 / 2.2),
    ]  # fmt: skip
    truth = [band, figure.masculinity > 0.5, style.wrinkles]
    return words, [float(n) for n in numbers], [float(t) for t in truth]


def one_hot(words: np.ndarray) -> np.ndarray:
    """(n, columns) words -> (n, all words of all columns)."""
    parts = []
    for column in words.T:
        names, at = np.unique(column, return_inverse=True)
        parts.append(np.eye(len(names), dtype=np.float32)[at])
    return np.concatenate(parts, axis=1)


def measure(known: np.ndarray, truth: np.ndarray, seed: int) -> str:
    """How often a small network is right about people it was not fitted on."""
    keras.utils.set_random_seed(seed)
    cut, labels = int(TRAINED * len(truth)), int(truth.max()) + 1
    model = keras.Sequential(
        [
            keras.Input(known.shape[1:]),
            layers.Dense(128, "relu"),
            layers.Dropout(0.2),
            layers.Dense(64, "relu"),
            layers.Dense(labels, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(known[:cut], truth[:cut], batch_size=256, epochs=14, verbose=0)
    shares = model.predict(known[cut:], verbose=0)
    right, sure = shares.argmax(axis=1) == truth[cut:], shares.max(axis=1)
    best = right[sure >= np.quantile(sure, UNKNOWN)]
    return f"{right.mean():.3f} of all, {best.mean():.3f} at {UNKNOWN:.0%} unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    people = [described(rng) for _ in range(args.people)]
    worn = np.array([numbers for _, numbers, _ in people], np.float32)
    worn = np.concatenate([one_hot(np.array([w for w, *_ in people])), worn], axis=1)
    truth = np.array([t for *_, t in people], np.float32)
    folds = np.concatenate([worn, truth[:, 2:]], axis=1)
    band, masculine = truth[:, 0].astype(int), truth[:, 1].astype(int)
    print("expression, from what is worn:", measure(worn, masculine, args.seed))
    print("age, from what is worn:       ", measure(worn, band, args.seed))
    print("age, with the face's folds:   ", measure(folds, band, args.seed))


if __name__ == "__main__":
    main()
