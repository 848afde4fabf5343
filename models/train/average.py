"""Average the weights that several runs ended with: ``average.py --out W RUN.h5 ...``.

The ends of warm restarts lie around one wide optimum; its middle carries over better
than any of them (Izmailov et al. 2018, arXiv 1803.05407). What the normalisations have
seen belongs to each run alone, so it is found anew on training samples.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import net
import numpy as np
from export import calibration
from keras import layers


def averaged(files: list[Path]) -> keras.Model:
    """The network with the mean of all weights."""
    model = net.build()
    every = []
    for file in files:
        model.load_weights(file)
        every.append(model.get_weights())
    model.set_weights([np.mean(each, axis=0) for each in zip(*every, strict=True)])
    return model


def settle(model: keras.Model, examples: np.ndarray) -> None:
    """Normalise by what ``examples`` (n, 256, 320, 3) in -1..1 give, front to back."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            see = keras.Model(model.input, layer.input)
            parts = np.array_split(examples, 8)
            seen = np.concatenate([see(part).numpy() for part in parts])
            gamma, beta = layer.get_weights()[:2]
            spread = [seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))]
            layer.set_weights([gamma, beta, *spread])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help=".weights.h5 files")
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = averaged(args.runs)
    samples = calibration(args.worlds, "rgb", 400)
    settle(model, np.stack(samples).astype(np.float32) / 128)
    model.save_weights(args.out)


if __name__ == "__main__":
    main()
