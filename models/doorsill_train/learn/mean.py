"""The mean of two runs' weights.

``python -m doorsill_train.learn.mean FIRST SECOND --out FILE [--share 0.5]``

Where the second run went on from the first, the mean keeps most of what it gained and
loses less of what the first could do (Wortsman et al., arXiv 2109.01903). With
``--worlds FOLDER`` its normalisations are measured again over pictures for training:
two runs that normalise differently have a mean that is worth nothing without that.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from doorsill_train.learn import net
from doorsill_train.learn.samples import calibration

PICTURES, AT_ONCE = 1920, 32  # that the normalisations are measured over


def mean_of(one: keras.Model, other: keras.Model, share: float) -> None:
    """``one`` becomes the mean, with ``share`` of ``other``, 0..1."""
    both = zip(one.get_weights(), other.get_weights(), strict=True)
    one.set_weights([a + share * (b - a) for a, b in both])


def measure_again(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Each normalisation's mean and variance become those of ``batches``.

    A batch is (n, 256, 320, 3) in -1..1; all weigh the same.
    """
    kind = layers.BatchNormalization
    norms = [layer for layer in model.layers if isinstance(layer, kind)]
    kept = [layer.momentum for layer in norms]
    for number, batch in enumerate(batches):
        for layer in norms:
            layer.momentum = number / (number + 1)
        model(batch, training=True)
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum


def for_training(worlds: Path, count: int = PICTURES) -> Iterable[np.ndarray]:
    """``count`` pictures of these worlds as a detector learns from them, in batches."""
    pictures = calibration(worlds, "rgb", count)
    for at in range(0, count, AT_ONCE):
        yield np.stack(pictures[at : at + AT_ONCE]).astype(np.float32) / 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0..1")
    parser.add_argument("--variant", choices=sorted(net.WIDTHS), default=net.VARIANT)
    parser.add_argument("--worlds", type=Path, help="to measure normalisations again")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, other = net.build(args.variant), net.build(args.variant)
    model.load_weights(args.first)
    other.load_weights(args.second)
    mean_of(model, other, args.share)
    if args.worlds:
        measure_again(model, for_training(args.worlds))
    model.save_weights(args.out)


if __name__ == "__main__":
    main()
