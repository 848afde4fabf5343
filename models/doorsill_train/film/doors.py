"""Film the doors of shops.

``python -m doorsill_train.film.doors --data MAKEHUMAN --out FOLDER``

The walkers are those of the simulated street (see ``shops``); people, rooms and light
are drawn as for the worlds. A held-out shop is kept frame by frame, one for training
every ``EVERY`` frames.

A shard is one shop, as ``film.worlds`` writes worlds, so ``Shards`` reads both;
a picture's *luma one step before* is that of the shard's picture before. Beside its
rows the labels hold ``serials``, who each is, and ``numbers``, the frame of each one.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")

from doorsill_street.measured import FRAME_S
from doorsill_train.film.shops import Shop
from doorsill_train.paint.photographs import Photographs
from doorsill_train.paint.rasteriser import Renderer
from doorsill_train.people.bodies import Atlas, load_atlas
from doorsill_train.people.data import unpacked
from doorsill_train.processes import in_processes
from doorsill_train.shards import HELD_OUT, is_held_out, save_shard

SHOPS, UNSEEN = 100_000, HELD_OUT + 50_000  # first seeds: for training, and held out
EMPTY_S = 6.0  # before the first picture people have to come
EVERY = 8  # frames from picture to picture of a shop for training


def film(
    atlas: Atlas,
    renderer: Renderer,
    seed: int,
    folder: Path,
    pictures: int,
    photographs: Photographs | None = None,
) -> None:
    """Write one shop."""
    shop = Shop(atlas, renderer, seed, photographs)
    every = 1 if is_held_out(seed) else EVERY
    frames, rows, serials, numbers = [], [], [], []
    first = round(EMPTY_S / FRAME_S)
    for number in range(first + pictures * every):
        shop.step(number * FRAME_S)
        if number < first or (number - first) % every:
            continue
        planes, found, who = shop.picture()
        frames.append(planes)
        rows.append(found)
        serials += who
        numbers.append(number)
    shop.free()
    views = ["oblique"] * len(frames)
    save_shard(
        folder, seed, frames, rows, views=views, serials=serials, numbers=numbers
    )


def work(args: argparse.Namespace, seeds: list[int]) -> None:
    atlas = load_atlas(args.data, args.out / "atlas.pickle")
    renderer = Renderer()
    photographs = Photographs(args.photographs) if args.photographs else None
    for number, seed in enumerate(seeds):
        if (args.out / f"{seed:06d}.frames.npy").exists():
            continue
        start = time.monotonic()
        film(atlas, renderer, seed, args.out, args.pictures, photographs)
        took, left = time.monotonic() - start, len(seeds) - number - 1
        bar = "#" * round(20 * (number + 1) / len(seeds))
        print(
            f"[{bar:20}] shop {seed}: {took / args.pictures:.2f} s a picture, "
            f"{left} shops left, {left * took / 60:.0f} min",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="MakeHuman data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shops", type=int, default=0, help="for training")
    parser.add_argument("--held-out", type=int, default=0, help="never trained on")
    parser.add_argument("--pictures", type=int, default=100, help="per shop")
    parser.add_argument("--photographs", type=Path, help="of real places, checked")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    args.data = unpacked(args.data, args.out)
    load_atlas(args.data, args.out / "atlas.pickle")
    seeds = [UNSEEN + i for i in range(args.held_out)]
    seeds += [SHOPS + i for i in range(args.shops)]
    in_processes(work, args, seeds)


if __name__ == "__main__":
    main()
