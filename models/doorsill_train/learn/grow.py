"""A wider network that begins as a narrower one.

``python -m doorsill_train.learn.grow SMALL --out FILE [--of s --to m]``

What the narrow one knows is kept to the last digit: its channels are the first ones of
the wide one and hear nothing of those that are new, until training says so (as in
Net2Net, arXiv 1511.05641, whose new channels are copies).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from doorsill_train.learn import net


def grown(small: keras.Model, variant: str) -> keras.Model:
    """A network of ``variant`` that answers as ``small`` does.

    ValueError where a layer of it would have to shrink.
    """
    model = net.build(variant)
    for mine, theirs in zip(model.layers, small.layers, strict=True):
        pairs = zip(mine.get_weights(), theirs.get_weights(), strict=True)
        mine.set_weights([widened(new, old) for new, old in pairs])
    return model


def widened(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """``old`` in the corner of ``new``; an old output hears no new input."""
    if any(n < o for n, o in zip(new.shape, old.shape, strict=True)):
        raise ValueError(f"{new.shape} holds no {old.shape}")
    out = new.copy()
    if new.ndim == 4:
        out[:, :, :, : old.shape[3]] = 0
    out[tuple(slice(n) for n in old.shape)] = old
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("small", type=Path, help="a .weights.h5 file")
    parser.add_argument("--of", choices=sorted(net.WIDTHS), default="s")
    parser.add_argument("--to", choices=sorted(net.WIDTHS), default=net.VARIANT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    small = net.build(args.of)
    small.load_weights(args.small)
    model = grown(small, args.to)
    model.save_weights(args.out)
    print(f"{small.count_params()} parameters became {model.count_params()}")


if __name__ == "__main__":
    main()
