"""The mean of two runs' weights.

``python -m doorsill_train.learn.mean FIRST SECOND --out FILE [--share 0.5]``

Where the second run went on from the first, the mean keeps most of what it gained and
loses less of what the first could do (Wortsman et al., arXiv 2109.01903).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from doorsill_train.learn import net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0..1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, other = net.build(), net.build()
    model.load_weights(args.first)
    other.load_weights(args.second)
    both = zip(model.get_weights(), other.get_weights(), strict=True)
    model.set_weights([a + args.share * (b - a) for a, b in both])
    model.save_weights(args.out)


if __name__ == "__main__":
    main()
